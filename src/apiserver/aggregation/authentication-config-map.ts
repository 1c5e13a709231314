import { LRUCache } from 'lru-cache';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { type SharedSet, sharedRevision, sharedUid } from '../registry/shared-objects.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { proxyUserName } from './proxy-certificates.ts';

export const authenticationConfigNamespace = 'kube-system';
export const authenticationConfigName = 'extension-apiserver-authentication';

/** Keys of the ConfigMap; the values of all but the two CA bundles are JSON lists. */
export const authenticationConfigKeys = {
  clientCa: 'client-ca-file',
  requestHeaderCa: 'requestheader-client-ca-file',
  allowedNames: 'requestheader-allowed-names',
  usernameHeaders: 'requestheader-username-headers',
  uidHeaders: 'requestheader-uid-headers',
  groupHeaders: 'requestheader-group-headers',
  extraHeaderPrefixes: 'requestheader-extra-headers-prefix',
} as const;

/** Workspaces whose ConfigMap is kept; it is made when it is read. */
const keptMax = 1_000;

/**
 * ConfigMap kube-system/extension-apiserver-authentication of each workspace (KUBERNETES.md O1): by which authorities and
 * which name the API servers behind its APIServices know this server. It is not stored, follows the authorities, and
 * names the workspace's own certificate alone.
 */
export class AuthenticationConfigMap implements SharedSet {
  readonly #definition: ResourceDefinition;
  readonly #clientCaPem: () => string;
  readonly #requestHeaderCaPem: string;
  readonly #createdAt: string;
  readonly #kept = new LRUCache<string, { readonly clientCaPem: string; readonly entry: CacheEntry }>({
    max: keptMax,
  });

  constructor(options: {
    readonly definition: ResourceDefinition;
    readonly clientCaPem: () => string;
    readonly requestHeaderCaPem: string;
    readonly createdAt: string;
  }) {
    this.#definition = options.definition;
    this.#clientCaPem = options.clientCaPem;
    this.#requestHeaderCaPem = options.requestHeaderCaPem;
    this.#createdAt = options.createdAt;
  }

  get(workspace: Workspace, namespace: string, name: string): CacheEntry | undefined {
    if (name !== authenticationConfigName || namespace !== authenticationConfigNamespace) return undefined;
    return this.#entry(workspace);
  }

  list(workspace: Workspace): readonly CacheEntry[] {
    return [this.#entry(workspace)];
  }

  #entry(workspace: Workspace): CacheEntry {
    const clientCaPem = this.#clientCaPem();
    const kept = this.#kept.get(workspace.id);
    if (kept?.clientCaPem === clientCaPem) return kept.entry;
    const entry = this.#made(workspace, clientCaPem);
    this.#kept.set(workspace.id, { clientCaPem, entry });
    return entry;
  }

  #made({ id, type }: Workspace, clientCaPem: string): CacheEntry {
    const keys = authenticationConfigKeys;
    const data = {
      [keys.clientCa]: clientCaPem,
      [keys.requestHeaderCa]: this.#requestHeaderCaPem,
      [keys.allowedNames]: JSON.stringify([proxyUserName(id)]),
      [keys.usernameHeaders]: '["X-Remote-User"]',
      [keys.uidHeaders]: '["X-Remote-Uid"]',
      [keys.groupHeaders]: '["X-Remote-Group"]',
      [keys.extraHeaderPrefixes]: '["X-Remote-Extra-"]',
    };
    const place = { namespace: authenticationConfigNamespace, name: authenticationConfigName };
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        ...place,
        uid: sharedUid(this.#definition.storedAs, place.namespace, place.name),
        creationTimestamp: this.#createdAt,
      },
      data,
    };
    const { group, resource } = this.#definition.storedAs;
    return {
      key: objectKey({ group, resource, clusterId: id, ...place }),
      value: encodeStored(object, this.#definition, '', type === 'edge' ? undefined : id),
      revision: sharedRevision,
      memo: undefined,
    };
  }
}
