import type { Strategy } from '#apimachinery/resource-definition.ts';

const strategies: { readonly [groupResource: string]: Strategy } = {};

const plain: Strategy = {};

export function strategyOf(group: string, resource: string): Strategy {
  return strategies[group === '' ? resource : `${resource}.${group}`] ?? plain;
}
