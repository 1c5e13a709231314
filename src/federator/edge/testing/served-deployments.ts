import type { ServedKind } from '../served-kind.ts';

/** Deployments as an edge serves them. */
export const servedDeployments: ServedKind = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespaced: true,
  hasStatus: true,
  isSyncable: true,
};
