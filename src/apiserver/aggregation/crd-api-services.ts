import { booleanAt, numberAt, objectAt, objectsAt, textAt } from '#api/builtin/read.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { rangePrefix } from '#storage/keys.ts';
import { type ControllerContext, KeyedController } from '../controllers/controller.ts';
import { settled } from '../controllers/settled.ts';
import { lookAtEntries } from '../controllers/store-events.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { apiServiceGroup, apiServiceResource } from './api-service.ts';
import { automanagedLabel, localCondition } from './local-api-services.ts';

/** What the controller needs of the CRDs of all workspaces. */
export interface CrdSource {
  /** Of those that are established. */
  definitionsOf(clusterId: string): readonly ResourceDefinition[];
  /** 0 for a workspace without CRDs. */
  generationOf(clusterId: string): number;
  /** Tells of each one that there is, a few at a time, and of every change. */
  onCrd(listener: (clusterId: string) => void): () => void;
}

const stored = { group: apiServiceGroup, resource: apiServiceResource } as const;
const gvr = { ...stored, version: 'v1' } as const;
/** As kube-apiserver gives them to all groups of CRDs. */
const groupPriorityMinimum = 1_000;
const versionPriority = 100;
/** Of what follows what serves it, as upstream's autoregister controller marks it. */
const managed = 'true';

/**
 * Keeps an APIService for each version of a group that CRDs serve, as kube-apiserver does (KUBERNETES.md O1): `kubectl get
 * apiservices` shows them, clients may wait for them. One that somebody else made for the version is left alone. Says of
 * every APIService without a Service that it is available. Nothing is served by them. Not in cell workspaces.
 */
export class CrdApiServices extends KeyedController<ClusterId> {
  readonly #crds: CrdSource;

  constructor(context: ControllerContext, crds: CrdSource) {
    super(context, { name: 'crd-api-services', concurrency: 4 });
    this.#crds = crds;
  }

  protected listen(): (() => void)[] {
    const { events } = this.context;
    return [
      events.listen(rangePrefix(stored), {
        event: ({ key }) => this.queue.add(clusterOf(key)),
        reset: () => this.resync(),
      }),
      this.#crds.onCrd((clusterId) => this.queue.add(clusterId)),
    ];
  }

  /** Workspaces with CRDs are told of by these. */
  protected resync(): void {
    lookAtEntries(this.context, rangePrefix(stored), this.signal, ({ key }) => {
      const clusterId = clusterOf(key);
      if (this.#crds.generationOf(clusterId) === 0) this.queue.add(clusterId);
    });
  }

  protected async reconcile(cluster: ClusterId, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index, client } = this.context;
    // Mostly there is nothing to write, and so nothing to wait for: requests have their turn all the same.
    await new Promise((resolve) => setImmediate(resolve));
    const record = index.recordOf(cluster);
    if (record === undefined || record.kind === 'cell' || record.phase !== 'Ready') return undefined;
    const missing = this.#wanted(cluster);
    for (const entry of storage.snapshot(rangePrefix(stored, cluster)).entries()) {
      const object = objectOf(entry);
      const { name = '', uid, labels } = object.metadata;
      const wanted = missing.get(name);
      missing.delete(name);
      const isManaged = labels?.[automanagedLabel] === managed;
      if (isManaged && wanted === undefined) {
        await settled(client.delete({ cluster, gvr, name }, { preconditions: { uid }, signal }));
      } else if (isManaged && wanted !== undefined && !isAsWanted(object, wanted)) {
        await settled(client.update({ cluster, gvr, name }, { ...object, spec: wanted }, { signal }));
      } else await this.#tell(cluster, object, signal);
    }
    for (const [name, spec] of missing) {
      const metadata = { name, labels: { [automanagedLabel]: managed } };
      const object = { apiVersion: `${apiServiceGroup}/v1`, kind: 'APIService', metadata, spec };
      // Its condition follows when its own event comes.
      await settled(client.create({ cluster, gvr }, object, { signal }));
    }
    return undefined;
  }

  /** By name. */
  #wanted(cluster: ClusterId): Map<string, Spec> {
    const wanted = new Map<string, Spec>();
    for (const { group, versions } of this.#crds.definitionsOf(cluster)) {
      for (const { version, served } of versions) {
        if (served)
          wanted.set(`${version}.${group}`, { group, version, groupPriorityMinimum, versionPriority });
      }
    }
    return wanted;
  }

  /** What has no Service is served here, and so is available. */
  async #tell(cluster: ClusterId, object: KubeObject, signal: AbortSignal): Promise<void> {
    if (objectAt(object, 'spec', 'service') !== undefined) return;
    const conditions = objectsAt(object, 'status', 'conditions');
    const present = conditions.find(({ type }) => type === localCondition.type);
    if (present?.['status'] === localCondition.status && present?.['reason'] === localCondition.reason)
      return;
    const { name = '', uid, resourceVersion } = object.metadata;
    const told = { ...localCondition, lastTransitionTime: nowTime(this.context.clock.now()) };
    const others = conditions.filter((one) => one !== present);
    const body = { metadata: { uid, resourceVersion }, status: { conditions: [...others, told] } };
    await settled(
      this.context.client.patch(
        { cluster, gvr, name },
        { type: 'merge', body },
        { subresource: 'status', signal },
      ),
    );
  }
}

interface Spec {
  readonly [name: string]: string | number;
  readonly group: string;
  readonly version: string;
}

function isAsWanted(object: KubeObject, wanted: Spec): boolean {
  const spec = objectAt(object, 'spec');
  return (
    textAt(spec, 'group') === wanted.group &&
    textAt(spec, 'version') === wanted.version &&
    numberAt(spec, 'groupPriorityMinimum') === groupPriorityMinimum &&
    numberAt(spec, 'versionPriority') === versionPriority &&
    objectAt(spec, 'service') === undefined &&
    textAt(spec, 'caBundle') === '' &&
    booleanAt(spec, 'insecureSkipTLSVerify') !== true
  );
}
