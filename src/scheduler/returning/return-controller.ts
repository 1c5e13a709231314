import { clusterAnnotation, clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { eventKind, type ReturnableKind, returnAnnotations } from '#api/federation/return-contract.ts';
import { returnPoliciesGvr } from '#api/federation/return-policy.ts';
import {
  type ReturnedObject,
  returnedObjectsGvr,
  returnRequestsGvr,
  slimReturned,
} from '#api/federation/returned-object.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ObjectRef } from '#client/client.ts';
import { Informer, type InformerHandler, type InformerOptions } from '#client/informer.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { QueueLength } from '../queues.ts';
import type { World } from '../world.ts';
import { askCell } from './ask-cell.ts';
import { AskingPolicies } from './asking-policies.ts';
import { bringObject } from './bring-object.ts';
import { keepInProject } from './keep-in-project.ts';
import { originsAlone, sourcesAlone } from './kept-forms.ts';
import { type MappedNamespace, MappedNamespaces } from './mapped-namespaces.ts';
import { tellPolicyStatus } from './policy-status.ts';
import { ProjectKinds } from './project-kinds.ts';
import { Refusals } from './refusals.ts';
import { addressOf, keyOf, placeOf } from './return-keys.ts';
import type { ReturnState } from './return-state.ts';

const concurrency = 8;
/** A policy's status is written at most once in this time. */
const statusDelayMs = 500;
/** Of many that go at once, those that wait for room are looked at together. */
const roomDelayMs = 200;
const everywhere = '*';
/** Of a ReturnedObject. */
const keptAnnotations = [clusterAnnotation, returnAnnotations.edgeState];

/**
 * Brings what is born at the edges into the projects that ask for it (ReturnPolicy): renders each policy as a ReturnRequest
 * into the cells' workspaces, and each ReturnedObject there into the project. What an edge says is checked against the
 * policy once more here: an edge may write into a project only what its policy opens, never over an object of the project.
 *
 * Watches, and says what is to be looked at when something happens; each task is a file of its own.
 */
export class ReturnController {
  readonly #world: World;
  /** Keys: `policy|`, `request|`, `object|`, `project|`, `status|`, `room|`, each with cluster id, namespace and name. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  readonly #policies: Informer;
  readonly #copies: Informer;
  readonly #state: ReturnState;

  constructor(world: World) {
    const { clock, logger, controlPlaneId, workspaces } = world;
    this.#world = world;
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 60_000 });
    this.#loop = new ReconcileLoop({
      name: 'returns',
      queue: this.#queue,
      concurrency,
      logger,
      reconcile: (key) => this.#reconcile(key, world.signal),
    });
    this.#policies = this.#informer(returnPoliciesGvr);
    this.#copies = this.#informer(
      { group: '', version: 'v1', resource: 'namespaces' },
      { metadataOnly: true, labelSelector: copyLabels.originCluster, transform: originsAlone },
    );
    const policies = new AskingPolicies(this.#policies, workspaces);
    const tellPolicies = (mapped: MappedNamespace) => this.#tellPolicies(mapped.projectId, mapped.namespace);
    this.#state = {
      world,
      policies,
      requests: this.#informer(returnRequestsGvr),
      returned: this.#informer(returnedObjectsGvr, {
        transform: (object) => slimReturned(object as ReturnedObject, keptAnnotations),
      }),
      namespaces: new MappedNamespaces(controlPlaneId),
      projects: new ProjectKinds({
        discovery: world.discovery,
        makeInformer: ({ group, version, resource }, more) =>
          this.#informer({ group, version, resource }, more),
        transform: sourcesAlone,
        onChange: ({ key, kind }, object) => this.#onProject(key, kind, object),
      }),
      refusals: new Refusals(policies, tellPolicies),
      crowded: new Set(),
      queue: this.#queue,
      tellPolicies,
    };
    this.#copies.addHandler(this.#onNamespaces());
    this.#policies.addHandler(all((object) => this.#queue.add(keyOf('policy', object))));
    this.#state.requests.addHandler(all((object) => this.#onRequest(object)));
    this.#state.returned.addHandler(this.#onReturned());
  }

  #informer(gvr: ObjectRef['gvr'], more: Partial<InformerOptions> = {}): Informer {
    const { client, clock, logger } = this.#world;
    return new Informer({
      client,
      clock,
      logger,
      collection: { cluster: everywhere, gvr },
      indexers: {
        namespace: (object) => [placeOf(object)],
        source: ({ metadata }) => [metadata.annotations?.[returnAnnotations.source] ?? ''],
      },
      ...more,
    });
  }

  get queueLength(): QueueLength {
    const { size, ready } = this.#queue;
    return { name: 'returns', size, ready };
  }

  /** Resolves when everything is known and work has begun. */
  async start(): Promise<void> {
    const informers = this.#informers();
    for (const informer of informers) informer.start();
    await Promise.all(informers.map((informer) => informer.synced));
    this.#loop.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#loop.stop(), ...this.#informers().map((informer) => informer.stop())]);
  }

  /** Projects have become this scheduler's. */
  lookAtAll(): void {
    const { requests, returned, projects } = this.#state;
    for (const policy of this.#policies.values()) this.#queue.add(keyOf('policy', policy));
    for (const request of requests.values()) this.#queue.add(keyOf('request', request));
    for (const one of returned.values()) this.#queue.add(keyOf('object', one));
    for (const { key, informer } of projects.values()) {
      for (const object of informer.values()) this.#queue.add(`project|${key}|${addressOf(object)}`);
    }
  }

  #informers(): Informer[] {
    const { requests, returned, projects } = this.#state;
    return [this.#policies, requests, returned, this.#copies, ...projects.informers()];
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const [task = '', ...address] = key.split('|');
    switch (task) {
      case 'policy':
        this.#onPolicy(address);
        return undefined;
      case 'request':
        await askCell(this.#state, address, signal);
        return undefined;
      case 'object':
        return bringObject(this.#state, key, address, signal);
      case 'project':
        await keepInProject(this.#state, address, signal);
        return undefined;
      case 'status':
        await tellPolicyStatus(this.#state, address, signal);
        return undefined;
      case 'room':
        this.#onRoom(address.join('|'));
        return undefined;
      default:
        throw new RangeError(`unknown task ${key}`);
    }
  }

  #onNamespaces(): InformerHandler {
    const { namespaces, requests } = this.#state;
    const look = (mapped: MappedNamespace | undefined) => {
      if (mapped === undefined) return;
      for (const policy of this.#policies.byIndex('namespace', `${mapped.projectId}|${mapped.namespace}`)) {
        this.#queue.add(keyOf('policy', policy));
      }
      const place = `${mapped.cellId}|${mapped.name}`;
      for (const request of requests.byIndex('namespace', place)) this.#queue.add(keyOf('request', request));
      this.#lookAtReturned(place);
    };
    const put = (object: KubeObject) => {
      look(namespaces.remove(object));
      look(namespaces.put(object));
    };
    return { onAdd: put, onUpdate: put, onDelete: (object) => look(namespaces.remove(object)) };
  }

  #onRequest(request: KubeObject): void {
    this.#queue.add(keyOf('request', request));
    const mapped = this.#state.namespaces.get(clusterOf(request), request.metadata.namespace ?? '');
    if (mapped === undefined) return;
    const policy = `${mapped.projectId}|${mapped.namespace}|${request.metadata.name ?? ''}`;
    this.#queue.addAfter(`status|${policy}`, statusDelayMs);
  }

  #onReturned(): InformerHandler {
    const look = (object: KubeObject) => this.#queue.add(keyOf('object', object));
    return {
      onAdd: look,
      onUpdate: look,
      onDelete: (object) => {
        look(object);
        const place = placeOf(object);
        if (this.#state.crowded.has(place)) this.#queue.addAfter(`room|${place}`, roomDelayMs);
      },
    };
  }

  #onProject(key: string, kind: ReturnableKind, object: KubeObject): void {
    this.#queue.add(`project|${key}|${addressOf(object)}`);
    if (kind === eventKind) return; // not counted
    this.#tellPolicies(clusterOf(object), object.metadata.namespace ?? '');
  }

  /** Some went: those that found no room are looked at again. */
  #onRoom(place: string): void {
    this.#state.crowded.delete(place);
    this.#lookAtReturned(place);
  }

  /** Looks at everything that the policy bears on: its requests, and what has come back into its namespace. */
  #onPolicy([projectId = '', namespace = '', name = '']: readonly string[]): void {
    for (const { cellId, name: cellNamespace } of this.#state.namespaces.of(projectId, namespace)) {
      this.#queue.add(`request|${cellId}|${cellNamespace}|${name}`);
      this.#lookAtReturned(`${cellId}|${cellNamespace}`);
    }
    this.#queue.addAfter(`status|${projectId}|${namespace}|${name}`, statusDelayMs);
  }

  #lookAtReturned(place: string): void {
    for (const one of this.#state.returned.byIndex('namespace', place)) this.#queue.add(keyOf('object', one));
  }

  #tellPolicies(projectId: string, namespace: string): void {
    for (const policy of this.#policies.byIndex('namespace', `${projectId}|${namespace}`)) {
      this.#queue.addAfter(keyOf('status', policy), statusDelayMs);
    }
  }
}

function all(look: (object: KubeObject) => void): InformerHandler {
  return { onAdd: look, onUpdate: look, onDelete: look };
}
