import type { ResourceVersion } from '#apimachinery/resource-definition.ts';

export type Conversion = Pick<ResourceVersion, 'toStorage' | 'fromStorage'>;

const conversions: { readonly [versionedResource: string]: Conversion } = {};

const none: Conversion = {};

/** How objects of one version become the storage version and back; empty where only apiVersion differs. */
export function conversionOf(group: string, version: string, resource: string): Conversion {
  return conversions[`${group}/${version}/${resource}`] ?? none;
}
