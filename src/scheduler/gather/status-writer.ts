import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { isThere } from '#client/is-there.ts';
import type { DiscoveredResource } from '../discovery.ts';
import type { KeyParts } from '../object-key.ts';

/** The field manager of gathered status in project workspaces. */
const statusFieldManager = 'cellplane';

/** In place of the hash of a gathered status: one may stand, a write is under way, or its answer was lost. */
export const unknownStatusHash = '';

export type StatusOutcome =
  | { readonly type: 'applied' }
  /** Some fields belong to another manager and were left to it; the rest was applied. */
  | { readonly type: 'ownedElsewhere'; readonly message: string }
  | { readonly type: 'gone' }
  /** The kind's schema does not take the aggregate: it stays in the binding alone. */
  | { readonly type: 'refused'; readonly message: string };

const attemptsMax = 3;

/**
 * Applies an aggregated status to a project object, never forced: fields that another manager owns are taken out of what
 * is applied and stay as they are (DESIGN.md, Gather).
 */
export async function applyStatus(
  client: KubeClient,
  key: KeyParts,
  { group, version, resource, kind }: Pick<DiscoveredResource, 'group' | 'version' | 'resource' | 'kind'>,
  uid: string,
  status: JsonObject,
  signal: AbortSignal,
): Promise<StatusOutcome> {
  const namespace = key.namespace === '' ? undefined : key.namespace;
  const ref = { cluster: key.cluster, gvr: { group, version, resource }, namespace, name: key.name };
  const rest = { ...status };
  let message: string | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const body: JsonObject = {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      // The uid keeps a status from landing on an object of the same name made since.
      metadata: { name: key.name, ...(namespace === undefined ? {} : { namespace }), uid },
      // Nothing at all: what was ours goes.
      ...(Object.keys(status).length === 0 ? {} : { status: rest }),
    };
    try {
      const options = { fieldManager: statusFieldManager, subresource: 'status', force: false, signal };
      await client.apply(ref, body, options);
      return message === undefined ? { type: 'applied' } : { type: 'ownedElsewhere', message };
    } catch (error) {
      if (isApiError(error, 'NotFound')) return { type: 'gone' };
      if (isApiError(error, 'Invalid', 'BadRequest')) return { type: 'refused', message: error.message };
      if (!isApiError(error, 'Conflict')) throw error;
      const fields = (error.details?.causes ?? []).filter(({ reason }) => reason === 'FieldManagerConflict');
      if (fields.length === 0) {
        if (!(await isThere(client, ref, uid, signal))) return { type: 'gone' };
        throw error;
      }
      message = fields.map(({ field = '', message: why = '' }) => `${field}: ${why}`).join('; ');
      for (const { field } of fields) dropField(rest, field ?? '');
      if (Object.keys(rest).length === 0) return { type: 'ownedElsewhere', message };
    }
  }
  return { type: 'ownedElsewhere', message: message ?? '' };
}

/** Whether anything of the object's status was gathered here: by whose it is, which one write with it tells. */
export function hasGatheredStatus({ metadata }: KubeObject): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager, operation, subresource }) =>
      manager === statusFieldManager && operation === 'Apply' && subresource === 'status',
  );
}

/** Takes back what was gathered into an object that is let go: nobody will report of it any more. */
export async function clearStatus(
  client: KubeClient,
  key: KeyParts,
  binding: ResourceBinding,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind, resource, uid } = binding.spec.resource;
  if (uid === undefined) return;
  const version = apiVersion.slice(apiVersion.lastIndexOf('/') + 1);
  await applyStatus(client, key, { group: key.group, version, kind, resource }, uid, {}, signal);
}

/**
 * Takes the member of status that a conflicting path begins with out; for conditions only the one that the path names.
 *
 *   `.status.conditions[type="Available"].status` → that condition goes, the others stay
 */
export function dropField(status: JsonObject, path: string): void {
  const match = /^\.?status\.([^.[]+)(?:\[type="([^"]+)"\])?/.exec(path);
  if (match === null) {
    for (const key of Object.keys(status)) delete status[key];
    return;
  }
  const [, field = '', type] = match;
  const list = status[field];
  if (type === undefined || !Array.isArray(list)) {
    delete status[field];
    return;
  }
  const kept = list.filter((item) => !(isJsonObject(item) && item['type'] === type));
  if (kept.length === 0) delete status[field];
  else status[field] = kept;
}
