/** Our own API group, and the keys of the copy contract that both sides of a cell workspace keep (docs/). */
export const federationGroup = 'federation.cellplane.io';
export const federationVersion = 'v1alpha1';

/** Label of every copy: the logical cluster that its original lies in. An object without it is no copy. */
export const originClusterLabel = 'federation.cellplane.io/origin-cluster';
/** Label of every copy: the control plane that its original lies in. */
export const originControlPlaneLabel = 'federation.cellplane.io/origin-control-plane';

export const originPathAnnotation = 'federation.cellplane.io/origin-path';
export const originGroupAnnotation = 'federation.cellplane.io/origin-group';
export const originResourceAnnotation = 'federation.cellplane.io/origin-resource';
export const originNamespaceAnnotation = 'federation.cellplane.io/origin-namespace';
export const originNameAnnotation = 'federation.cellplane.io/origin-name';
export const originUidAnnotation = 'federation.cellplane.io/origin-uid';
export const mappingVersionAnnotation = 'federation.cellplane.io/mapping-version';
export const contentHashAnnotation = 'federation.cellplane.io/content-hash';

/** Stands on a copy until the edge has let go of what it stands for. */
export const edgeFinalizer = 'federation.cellplane.io/edge';
/** Stands on a Cell until its workspace is gone. */
export const cellFinalizer = 'federation.cellplane.io/cell';

/** The workspace that holds Cells and Federators, and below which each cell's own workspace lies. */
export const cellsWorkspacePath = 'root:cells';
/** The namespace in `root:cells` in which each federator keeps one Lease of its own name. */
export const federatorLeaseNamespace = 'cellplane-federators';
