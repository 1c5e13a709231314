import type { Json } from './contract-server.ts';

export const maps = '/api/v1/namespaces/default/configmaps';

export function configMap(name: string, more: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more };
}

export const meta = (object: unknown): Json => (object as { metadata: Json }).metadata;

/** What stands there; undefined where nothing does. */
export const at = (object: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Json | undefined)?.[key as string], object);
