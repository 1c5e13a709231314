import { textAt } from '#api/builtin/read.ts';
import { badRequest, conflict, notFound, otherNamespace } from '#apimachinery/api-error.ts';
import { type FieldError, invalid, invalidObject } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
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
    cache.peek(
      objectKey({
        group: '',
        resource,
        clusterId: workspace.id,
        namespace: resource === 'nodes' ? '' : namespace,
        name: boundName,
      }),
    ),
  );
  const { token, expiresAtMs, credentialId } = tokens.issue({
    clusterId: workspace.id,
    namespace,
    name,
    uid,
    audiences,
    expirationSeconds,
    boundObject,
  });
  context.annotate?.('authentication.kubernetes.io/issued-credential-id', credentialId);
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
  const { uid, name, namespace } = metadata;
  if (namespace !== undefined && namespace !== '' && namespace !== account.namespace) {
    throw otherNamespace();
  }
  if (name !== undefined && name !== '' && name !== account.name) {
    const why = 'must match the service account name if specified';
    throw invalidObject(kind, account.name, [invalid('metadata.name', name, why)]);
  }
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
  return [...(given as string[])];
}

const boundResources: { readonly [kind: string]: 'pods' | 'secrets' | 'nodes' } = {
  Pod: 'pods',
  Secret: 'secrets',
  Node: 'nodes',
};

/** The object that a token is to end with (registry/core/serviceaccount/storage TokenREST). */
function boundObjectOf(
  spec: JsonObject,
  account: string,
  entryOf: (resource: string, name: string) => CacheEntry | undefined,
): BoundObject | undefined {
  const ref = spec['boundObjectRef'];
  if (!isJsonObject(ref)) return undefined;
  const { uid } = ref;
  const apiVersion = textAt(ref, 'apiVersion');
  const kind = textAt(ref, 'kind');
  const name = textAt(ref, 'name');
  const resource = Object.hasOwn(boundResources, kind) ? boundResources[kind] : undefined;
  if (resource === undefined || apiVersion.includes('/')) {
    const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
    throw badRequest(`cannot bind token to object of type ${version}, Kind=${kind}`);
  }
  if (name === '') throw badRequest('Name parameter required.');
  const entry = entryOf(resource, name);
  if (entry === undefined) throw notFound({ group: '', resource }, name);
  const pod = kind === 'Pod' ? objectOf(entry) : undefined;
  if (pod !== undefined && textAt(pod, 'spec', 'serviceAccountName') !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  const found = headerOf(entry).uid;
  if (typeof uid === 'string' && uid !== '' && uid !== found) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource: kind }, name, why);
  }
  const nodeName = pod === undefined ? '' : textAt(pod, 'spec', 'nodeName');
  if (nodeName === '') return { kind: kind as BoundObject['kind'], name, uid: found };
  const node = entryOf('nodes', nodeName);
  return {
    kind: 'Pod',
    name,
    uid: found,
    node: { name: nodeName, uid: node === undefined ? undefined : headerOf(node).uid },
  };
}
