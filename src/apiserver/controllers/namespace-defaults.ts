import { isApiError } from '#apimachinery/api-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey } from '#storage/keys.ts';
import { hasDeletionTimestamp, objectOf } from '../registry/stored-object.ts';
import {
  isTouched,
  rootCaData,
  rootCaMetadata,
  rootCaName,
  serviceAccountName,
} from '../workspace/first-touch.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { lookAtEntries } from './store-events.ts';

const namespacesPrefix = '/core/namespaces/';
const serviceAccountsPrefix = '/core/serviceaccounts/';
const configMapsPrefix = '/core/configmaps/';
const serviceAccountsGvr = { group: '', version: 'v1', resource: 'serviceaccounts' } as const;
const configMapsGvr = { group: '', version: 'v1', resource: 'configmaps' } as const;

/**
 * Sees to it that each namespace has ServiceAccount `default` and ConfigMap `kube-root-ca.crt`, and restores them when
 * they are altered (KUBERNETES.md S4). Not in cell workspaces, and not in workspaces that nobody has touched yet.
 */
export class NamespaceDefaults extends KeyedController {
  readonly #rootCa: () => string;

  constructor(context: ControllerContext, rootCa: () => string) {
    super(context, { name: 'namespace-defaults', concurrency: 8 });
    this.#rootCa = rootCa;
  }

  protected listen(): (() => void)[] {
    const { events } = this.context;
    const reset = () => this.resync();
    return [
      events.listen(namespacesPrefix, {
        event: ({ key, entry, previous }) => {
          if (entry === undefined || previous !== undefined) return;
          this.queue.add(namespaceOf(key, true));
          if (key.endsWith('/kube-system')) this.#noticeTouch(key);
        },
        reset,
      }),
      events.listen(serviceAccountsPrefix, {
        event: (event) => {
          if (event.entry === undefined) this.#notice(event, serviceAccountName);
        },
        reset: () => {},
      }),
      events.listen(configMapsPrefix, {
        event: (event) => this.#notice(event, rootCaName),
        reset: () => {},
      }),
    ];
  }

  /** Namespaces that were made before the workspace's first touch. */
  #noticeTouch(key: string): void {
    const range = `${namespacesPrefix}${parseObjectKey(key).clusterId}/`;
    for (const entry of this.context.storage.snapshot(range).entries()) {
      this.queue.add(namespaceOf(entry.key, true));
    }
  }

  #notice({ key }: CacheEvent, name: string): void {
    if (key.endsWith(name) && key.charAt(key.length - name.length - 1) === '/') {
      this.queue.add(namespaceOf(key, false));
    }
  }

  protected resync(): void {
    lookAtEntries(this.context, namespacesPrefix, this.signal, ({ key }) =>
      this.queue.add(namespaceOf(key, true)),
    );
  }

  protected async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const [clusterId, namespace] = key.split('/') as [ClusterId, string];
    const { storage, index, client } = this.context;
    const record = index.recordOf(clusterId);
    if (record === undefined || record.kind === 'cell' || record.phase !== 'Ready') return undefined;
    const living = this.#peek('namespaces', clusterId, '', namespace);
    if (living === undefined || hasDeletionTimestamp(living) || !isTouched(storage, clusterId))
      return undefined;

    const account = this.#peek('serviceaccounts', clusterId, namespace, serviceAccountName);
    if (account === undefined) {
      const collection = { cluster: clusterId, gvr: serviceAccountsGvr, namespace };
      const object = named('ServiceAccount', { name: serviceAccountName, namespace });
      await harmless(client.create(collection, object, { signal }));
    }
    const data = rootCaData(this.#rootCa());
    const map = this.#peek('configmaps', clusterId, namespace, rootCaName);
    const collection = { cluster: clusterId, gvr: configMapsGvr, namespace };
    const object: KubeObject = { ...named('ConfigMap', rootCaMetadata(namespace)), data };
    if (map === undefined) {
      await harmless(client.create(collection, object, { signal }));
    } else if (!hasDeletionTimestamp(map)) {
      const present = objectOf(map);
      if (equalJson(present['data'], data) && present['binaryData'] === undefined) return undefined;
      if (present['immutable'] === true) {
        const { uid, resourceVersion } = present.metadata;
        await harmless(
          client.delete(
            { ...collection, name: rootCaName },
            { preconditions: { uid, resourceVersion }, signal },
          ),
        );
        return undefined;
      }
      const { binaryData: _, ...kept } = present;
      const restored: KubeObject = {
        ...kept,
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: present.metadata,
        data,
      };
      await client.update({ ...collection, name: rootCaName }, restored, { signal });
    }
    return undefined;
  }

  #peek(resource: string, clusterId: string, namespace: string, name: string): CacheEntry | undefined {
    return this.context.storage.peek(objectKey({ group: '', resource, clusterId, namespace, name }));
  }
}

function named(kind: string, metadata: KubeObject['metadata']): KubeObject {
  return { apiVersion: 'v1', kind, metadata };
}

/** `<cluster>/<namespace>` of a namespace's key, or of the key of something in it. */
function namespaceOf(key: string, isNamespace: boolean): string {
  const { clusterId, namespace, name } = parseObjectKey(key);
  return `${clusterId}/${isNamespace ? name : namespace}`;
}

/** Another was faster, or the namespace is going. */
async function harmless(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    const isTerminating =
      isApiError(error, 'Forbidden') &&
      error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;
    if (!isTerminating && !isApiError(error, 'AlreadyExists', 'NotFound', 'Conflict')) throw error;
  }
}
