import type { ServedKind } from '../served-kind.ts';

/** ConfigMaps as an edge serves them. */
export const servedConfigMaps: ServedKind = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
  hasStatus: false,
  isSyncable: true,
};
