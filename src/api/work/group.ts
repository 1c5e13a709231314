/** Karmada's group for decisions (PLACEMENT.md 1). */
export const workGroup = 'work.karmada.io';
export const workVersion = 'v1alpha2';

export const resourceBindingsGvr = {
  group: workGroup,
  version: workVersion,
  resource: 'resourcebindings',
} as const;
export const clusterResourceBindingsGvr = {
  group: workGroup,
  version: workVersion,
  resource: 'clusterresourcebindings',
} as const;
