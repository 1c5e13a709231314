import { asObject, asText, type JsonObject } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import { servedObjectOf } from '../../registry/conversion.ts';
import { headerOf } from '../../registry/stored-object.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** A policy or binding cannot be followed as it is written; the message says why. */
export class PolicyConfigurationError extends Error {
  override readonly name = 'PolicyConfigurationError';
}

/** Objects that one binding may refer to. */
const paramsMax = 1_000;

/**
 * The objects that a binding's `paramRef` means, each of which the policy is evaluated with; one undefined where there is
 * nothing to refer to (Kubernetes' generic.CollectParams). Throws PolicyConfigurationError.
 */
export function paramsFor(
  paramKind: JsonObject | undefined,
  paramRef: JsonObject | undefined,
  workspace: Workspace,
  requestNamespace: string,
  storage: CachedStorage,
): (KubeObject | undefined)[] {
  if (paramKind === undefined || paramRef === undefined) return [undefined];
  const served = servedKind(paramKind, workspace);
  const namespace = namespaceOf(served, paramRef, requestNamespace);
  const found = objectsFor(served, paramRef, namespace, workspace, storage);
  if (found.length === 0 && paramRef['parameterNotFoundAction'] !== 'Allow') {
    throw new PolicyConfigurationError(
      'no params found for policy binding with `Deny` parameterNotFoundAction',
    );
  }
  return found;
}

function servedKind(paramKind: JsonObject, workspace: Workspace): ServedResource {
  const apiVersion = asText(paramKind['apiVersion']);
  const kind = asText(paramKind['kind']);
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const served = workspace.scheme.lookupKind(group, apiVersion.slice(slash + 1), kind);
  if (served === undefined) {
    throw new PolicyConfigurationError(`paramKind kind \`${apiVersion}, Kind=${kind}\` not known`);
  }
  return served;
}

function namespaceOf({ definition }: ServedResource, paramRef: JsonObject, requestNamespace: string): string {
  const named = asText(paramRef['namespace']);
  if (!definition.namespaced) {
    if (named === '') return '';
    throw new PolicyConfigurationError(
      'paramRef.namespace must not be provided for a cluster-scoped `paramKind`',
    );
  }
  if (named !== '') return named;
  if (requestNamespace !== '') return requestNamespace;
  throw new PolicyConfigurationError(
    'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
  );
}

function objectsFor(
  served: ServedResource,
  paramRef: JsonObject,
  namespace: string,
  workspace: Workspace,
  storage: CachedStorage,
): KubeObject[] {
  const { storedAs } = served.definition;
  const name = asText(paramRef['name']);
  if (name !== '') {
    const entry = storage.peek(objectKey({ ...storedAs, clusterId: workspace.id, namespace, name }));
    return entry === undefined ? [] : [servedObjectOf(entry, served)];
  }
  const selector = labelSelectorOf(asObject(paramRef['selector']));
  const prefix =
    namespace === '' ? rangePrefix(storedAs, workspace.id) : rangePrefix(storedAs, workspace.id, namespace);
  const found: CacheEntry[] = [];
  for (const entry of storage.snapshot(prefix).entries()) {
    if (!selector.matches(headerOf(entry).labels)) continue;
    if (found.length >= paramsMax) {
      throw new PolicyConfigurationError(`paramRef.selector selects more than ${paramsMax} objects`);
    }
    found.push(entry);
  }
  return found.map((entry) => servedObjectOf(entry, served));
}
