import { objectIn, objectsIn } from '#api/builtin/defaults/defaulting.ts';
import { booleanAt, objectsAt, textAt } from '#api/builtin/read.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { generateName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns, pods } from './concerns.ts';

const defaultAccount = 'default';
const mirrorAnnotation = 'kubernetes.io/config.mirror';
const volumePrefix = 'kube-api-access-';
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews a token at 80 % of its life; 7 s above an hour tell this projection from one that a user wrote. */
const tokenSeconds = 3607;
const readableByAll = 0o644;
/** A new namespace's `default` is made by a controller, right after the namespace. */
const accountTriesMax = 20;
const accountRetryMs = 50;

/**
 * Kubernetes' ServiceAccount plugin (KUBERNETES.md A4): a pod runs as the account that it names, else as `default`; the
 * account must exist, lends its imagePullSecrets, and, unless either says otherwise, its token is mounted.
 */
export class PodServiceAccount implements AdmissionPlugin {
  readonly name = 'ServiceAccount';
  readonly kinds = [pods];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes, 'CREATE', pods);
  }

  mutate({ context, object }: AdmissionAttributes): Promise<void> | undefined {
    if (object === undefined) return undefined;
    const spec = objectIn(object, 'spec');
    const asked = textAt(spec, 'serviceAccountName');
    if (object.metadata.annotations?.[mirrorAnnotation] !== undefined) {
      if (asked === '') return undefined;
      throw refused(context, object, 'a mirror pod may not reference service accounts');
    }
    const name = asked === '' ? defaultAccount : asked;
    spec['serviceAccountName'] = name;
    spec['serviceAccount'] = name;
    const account = this.#account(context, name);
    if (account !== undefined) {
      lend(spec, account);
      return undefined;
    }
    return this.#whenThere(context, object, name).then((found) => lend(spec, found));
  }

  #account({ workspace, namespace }: ResourceContext, name: string): KubeObject | undefined {
    const key = objectKey({
      group: '',
      resource: 'serviceaccounts',
      clusterId: workspace!.id,
      namespace,
      name,
    });
    const entry = this.#storage.peek(key);
    return entry === undefined ? undefined : objectOf(entry);
  }

  async #whenThere(context: ResourceContext, pod: KubeObject, name: string): Promise<KubeObject> {
    const tries = name === defaultAccount ? accountTriesMax : 1;
    for (let i = 0; i < tries; i++) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, accountRetryMs));
      if (context.signal.aborted) break;
      await this.#storage.awaitFresh();
      const account = this.#account(context, name);
      if (account !== undefined) return account;
    }
    const why = `error looking up service account ${context.namespace}/${name}: serviceaccount "${name}" not found`;
    throw refused(context, pod, why);
  }
}

function refused({ served }: ResourceContext, pod: KubeObject, why: string): Error {
  return forbidden(served.definition, pod.metadata.name ?? '', why);
}

function lend(spec: JsonObject, account: KubeObject): void {
  const automounts =
    booleanAt(spec, 'automountServiceAccountToken') ?? booleanAt(account, 'automountServiceAccountToken');
  if (automounts !== false) mountToken(spec);
  const secrets = objectsAt(account, 'imagePullSecrets');
  if (secrets.length > 0 && objectsAt(spec, 'imagePullSecrets').length === 0) {
    spec['imagePullSecrets'] = cloneJson([...secrets]);
  }
}

/** Every container that mounts nothing at the token's path gets the projected token there. */
function mountToken(spec: JsonObject): void {
  const volumes = objectsIn(spec, 'volumes');
  const existing = volumes.find((volume) => textAt(volume, 'name').startsWith(volumePrefix));
  const name = existing === undefined ? generateName(volumePrefix) : textAt(existing, 'name');
  let isMounted = false;
  for (const container of [...objectsIn(spec, 'initContainers'), ...objectsIn(spec, 'containers')]) {
    const mounts = objectsAt(container, 'volumeMounts');
    if (mounts.some((mount) => mount['mountPath'] === mountPath)) continue;
    container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath }];
    isMounted = true;
  }
  if (existing !== undefined || !isMounted) return;
  const before: readonly JsonValue[] = Array.isArray(spec['volumes']) ? spec['volumes'] : [];
  spec['volumes'] = [...before, tokenVolume(name)];
}

function tokenVolume(name: string): JsonObject {
  const fieldRef = { apiVersion: 'v1', fieldPath: 'metadata.namespace' };
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef }] } },
      ],
      defaultMode: readableByAll,
    },
  };
}
