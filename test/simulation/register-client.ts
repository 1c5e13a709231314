import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { RegisterCall } from './linearizability.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
export const inRoot = { cluster: 'root', gvr: configMaps, namespace: 'default' } as const;

/** A register as an object of the API. */
export function configMap(name: string, value: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } };
}

/** The register's value. */
export function contentOf(object: KubeObject): string {
  return isJsonObject(object['data']) ? String(object['data']['value']) : '';
}

export function refOf(name: string): ObjectRef {
  return { ...inRoot, name };
}

export interface Asked {
  readonly call: RegisterCall;
  /** Of an acknowledged write. */
  readonly resourceVersion?: string | undefined;
}

/** The server was not reached at all, or has said that nothing was written. */
function isSurelyNotDone(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.reason !== 'ServiceUnavailable') return false;
  const { cause } = error;
  return cause === undefined || (cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED');
}

/**
 * One call on a register, chosen by `dice` (in [0, 1)) and by what `last` says that this client knows; undefined when it
 * tells nothing (a read that failed, a write that surely was not done). `value` is what is written, never used twice.
 */
export async function askRegister(
  client: KubeClient,
  key: string,
  value: string,
  dice: number,
  last: Map<string, KubeObject>,
): Promise<Asked | undefined> {
  const options = { timeoutMs: 5_000 };
  const known = last.get(key);
  if (dice < 0.35) {
    try {
      const object = await client.get(refOf(key), options);
      last.set(key, object);
      return { call: { type: 'read', value: contentOf(object) } };
    } catch (error) {
      if (!isApiError(error, 'NotFound')) return undefined;
      last.delete(key);
      return { call: { type: 'read', value: undefined } };
    }
  }
  if (dice > 0.93) {
    try {
      await client.delete(refOf(key), options);
      return { call: { type: 'delete', answer: 'done' } };
    } catch (error) {
      if (isSurelyNotDone(error)) return undefined;
      return { call: { type: 'delete', answer: isApiError(error, 'NotFound') ? 'absent' : 'unknown' } };
    }
  }
  if (known === undefined) {
    try {
      const object = await client.create(inRoot, configMap(key, value), options);
      last.set(key, object);
      const { resourceVersion } = object.metadata;
      return { call: { type: 'create', value, answer: 'done' }, resourceVersion };
    } catch (error) {
      if (isSurelyNotDone(error)) return undefined;
      const answer = isApiError(error, 'AlreadyExists') ? 'exists' : 'unknown';
      return { call: { type: 'create', value, answer } };
    }
  }
  const expected = contentOf(known);
  last.delete(key);
  try {
    const object = await client.update(refOf(key), { ...known, data: { value } }, options);
    last.set(key, object);
    const { resourceVersion } = object.metadata;
    return { call: { type: 'swap', expected, value, answer: 'done' }, resourceVersion };
  } catch (error) {
    if (isSurelyNotDone(error)) return undefined;
    const answer = isApiError(error, 'Conflict', 'NotFound') ? 'refused' : 'unknown';
    return { call: { type: 'swap', expected, value, answer } };
  }
}
