/** What people say to a cell's federator by annotating the Cell (docs/federators.md). */
export const cellAnnotations = {
  /**
   * Lets the held deletions happen: the token that the condition `DeletionHeld` tells. It stands for exactly the
   * deletions that were held then, so that nothing is released that nobody has seen.
   */
  releaseDeletions: 'federation.cellplane.io/release-deletions',
} as const;
