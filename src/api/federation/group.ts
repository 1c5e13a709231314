/** Our own API group; what a copy carries stands in copy-contract.ts. */
export const federationGroup = 'federation.cellplane.io';
export const federationVersion = 'v1alpha1';

/** Stands on a Cell until its workspace is gone. */
export const cellFinalizer = 'federation.cellplane.io/cell';

/** The workspace that holds Cells and Federators, and below which each cell's own workspace lies. */
export const cellsWorkspacePath = 'root:cells';
/** The namespace in `root:cells` in which each federator keeps one Lease of its own name. */
export const federatorLeaseNamespace = 'cellplane-federators';
