import { badRequest, conflict, notFound } from '#apimachinery/api-error.ts';
import { type FieldError, invalid, invalidObject } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { VirtualHandler } from '../authz/reviews.ts';
import { headerOf, objectOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import type { BoundObject, ServiceAccountTokens } from './service-account-tokens.ts';

const defaultExpirationSeconds = 3600;
const expirationSecondsMin = 600;
const expirationSecondsMax = 2 ** 32;

/** Serves POST `serviceaccounts/<name>/token` (KUBERNETES.md U2). */
export function tokenRequestHandler(tokens: ServiceAccountTokens, cache: CachedStorage): VirtualHandler {
  return (context, object) => {
    const fresh = cache.awaitFresh();
    if (fresh === undefined) return answer(tokens, cache, context, object);
    return fresh.then(() => answer(tokens, cache, context, object));
  };
}

function answer(
  tokens: ServiceAccountTokens,
  cache: CachedStorage,
  context: ResourceContext,
  object: KubeObject,
): KubeObject {
  const { workspace, namespace, name } = context;
  if (workspace === undefined) throw badRequest('a token needs one workspace');
  const uid = uidOf(cache, workspace.id, 'serviceaccounts', namespace, name);
  if (uid === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const given = object['spec'];
  const spec: JsonObject = isJsonObject(given) ? given : {};
  checkIdentity(object, { name, namespace, uid });
  const expirationSeconds = expirationOf(spec);
  const audiences = audiencesOf(spec);
  const boundObject = boundObjectOf(spec, name, (resource, boundName) =>
    cache.peek(objectKey({ group: '', resource, clusterId: workspace.id, namespace, name: boundName })),
  );
  const { token, expiresAtMs } = tokens.issue({
    clusterId: workspace.id,
    namespace,
    name,
    uid,
    audiences,
    expirationSeconds,
    boundObject,
  });
  return {
    ...object,
    metadata: {
      ...object.metadata,
      name,
      namespace,
      uid,
      creationTimestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    },
    spec: {
      ...spec,
      audiences: audiences.length === 0 ? [...tokens.apiAudiences] : audiences,
      boundObjectRef: spec['boundObjectRef'] ?? null,
      expirationSeconds,
    },
    status: { token, expirationTimestamp: new Date(expiresAtMs ?? 0).toISOString().replace(/\.\d+Z$/, 'Z') },
  };
}

function uidOf(
  cache: CachedStorage,
  clusterId: string,
  resource: string,
  namespace: string,
  name: string,
): string | undefined {
  const entry = cache.peek(objectKey({ group: '', resource, clusterId, namespace, name }));
  return entry === undefined ? undefined : headerOf(entry).uid;
}

/** 422 and 409 for a request whose metadata is of another account than the URL's. */
function checkIdentity(
  { metadata }: KubeObject,
  account: { readonly name: string; readonly namespace: string; readonly uid: string },
): void {
  const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
  for (const field of ['name', 'namespace'] as const) {
    const given = metadata[field];
    if (given === undefined || given === '' || given === account[field]) continue;
    const why = `must match the service account ${field} if specified`;
    throw invalidObject(kind, account.name, [invalid(`metadata.${field}`, given, why)]);
  }
  const { uid } = metadata;
  if (uid === undefined || uid === '' || uid === account.uid) return;
  throw conflict(
    { group: kind.group, resource: kind.kind },
    account.name,
    `the UID in the token request (${uid}) does not match the UID of the service account (${account.uid})`,
  );
}

function expirationOf(spec: JsonObject): number {
  const given = spec['expirationSeconds'];
  if (given === undefined || given === null) return defaultExpirationSeconds;
  const errors: FieldError[] = [];
  if (typeof given !== 'number' || given < expirationSecondsMin) {
    errors.push(invalid('spec.expirationSeconds', given, 'may not specify a duration less than 10 minutes'));
  } else if (given > expirationSecondsMax) {
    errors.push(
      invalid('spec.expirationSeconds', given, 'may not specify a duration larger than 2^32 seconds'),
    );
  }
  if (errors.length > 0)
    throw invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', errors);
  return given as number;
}

function audiencesOf(spec: JsonObject): string[] {
  const given = spec['audiences'];
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given) || !given.every((one) => typeof one === 'string')) {
    throw badRequest('spec.audiences must be a list of strings');
  }
  return [...new Set(given as string[])];
}

function serviceAccountOf(pod: KubeObject): JsonValue | undefined {
  const { spec } = pod;
  return isJsonObject(spec) ? spec['serviceAccountName'] : undefined;
}

function boundObjectOf(
  spec: JsonObject,
  account: string,
  entryOf: (resource: string, name: string) => CacheEntry | undefined,
): BoundObject | undefined {
  const ref = spec['boundObjectRef'];
  if (!isJsonObject(ref)) return undefined;
  const { kind, apiVersion, name, uid } = ref;
  if ((kind !== 'Pod' && kind !== 'Secret') || (apiVersion !== 'v1' && apiVersion !== undefined)) {
    const group =
      typeof apiVersion === 'string' && !apiVersion.includes('/')
        ? `/${apiVersion}`
        : String(apiVersion ?? '/');
    throw badRequest(`cannot bind token to object of type ${group}, Kind=${String(kind)}`);
  }
  if (typeof name !== 'string' || name === '') throw badRequest('spec.boundObjectRef.name is required');
  const resource = kind === 'Pod' ? 'pods' : 'secrets';
  const entry = entryOf(resource, name);
  if (entry === undefined) throw notFound({ group: '', resource }, name);
  if (kind === 'Pod' && serviceAccountOf(objectOf(entry)) !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  const found = headerOf(entry).uid;
  if (typeof uid === 'string' && uid !== '' && uid !== found) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource: kind }, name, why);
  }
  return { kind, name, uid: found };
}
