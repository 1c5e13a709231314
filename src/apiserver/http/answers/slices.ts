/** A stretch of rendering after which other requests get their turn (DESIGN.md: none over 20 ms). */
export const sliceMs = 5;
/** Objects between two looks at the clock. */
export const entriesPerLook = 16;

/** Resolves when what waits in the loop has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
