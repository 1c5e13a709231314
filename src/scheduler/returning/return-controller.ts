import { withCondition } from '#api/conditions.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import {
  eventKind,
  isCustomGroup,
  type ReturnableKind,
  type ReturnKind,
  type ReturnSelector,
  returnAnnotations,
  returnedEventAgeMaxMs,
  returnedFromLabel,
  returnedObjectBytesMax,
  returnKindKey,
  returnKindOf,
  selectsReturn,
  staysAtEdge,
} from '#api/federation/return-contract.ts';
import {
  type ReturnPolicy,
  returnEventsDefault,
  returnObjectsDefault,
  returnPoliciesGvr,
} from '#api/federation/return-policy.ts';
import {
  type ReturnedObject,
  type ReturnRequest,
  returnedObjectName,
  returnedObjectsGvr,
  returnRequestsGvr,
} from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime, parseTime } from '#apimachinery/rfc3339.ts';
import type { ObjectRef } from '#client/client.ts';
import { clusterAnnotation, Informer, type InformerHandler, type InformerOptions } from '#client/informer.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { QueueLength } from '../queues.ts';
import type { World } from '../world.ts';
import { originsAlone, slimReturned, sourcesAlone } from './kept-forms.ts';
import { type MappedNamespace, MappedNamespaces } from './mapped-namespaces.ts';
import {
  projectEventForm,
  projectEventNameOf,
  projectForm,
  projectNameOf,
  projectStatusOf,
} from './project-form.ts';
import { type ProjectKind, ProjectKinds } from './project-kinds.ts';

const fieldManager = 'cellplane-return';
const concurrency = 8;
/** A policy's status is written at most once in this time. */
const statusDelayMs = 500;
/** Of many that go at once, those that wait for room are looked at together. */
const roomDelayMs = 200;
const everywhere = '*';
/** A kind that a project does not serve is looked for again. */
const unservedRecheckMs = 30_000;
const unsyncedRecheckMs = 500;

/** What is to stand in a project for a ReturnedObject. */
interface Wanted {
  readonly key: string;
  readonly address: string;
  readonly ref: ObjectRef;
  readonly form: JsonObject;
  /** When it is written apart. */
  readonly status: JsonObject | undefined;
  readonly state: string;
  readonly policy: string;
}

/**
 * Brings what is born at the edges into the projects that ask for it (ReturnPolicy): renders each policy as a ReturnRequest
 * into the cells' workspaces, and each ReturnedObject there into the project. What an edge says is checked against the
 * policy once more here: an edge may write into a project only what its policy opens, never over an object of the project.
 */
export class ReturnController {
  readonly #world: World;
  /** Keys: `policy|`, `request|`, `object|`, `project|`, `status|`, each with cluster id, namespace and name. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  readonly #namespaces: MappedNamespaces;
  readonly #policies: Informer;
  readonly #requests: Informer;
  readonly #returned: Informer;
  readonly #copies: Informer;
  /** What has come back, in projects. */
  readonly #projects: ProjectKinds;
  /** Why a ReturnedObject is not in its project, by its key. */
  readonly #refusals = new Map<string, { readonly policy: string; readonly message: string }>();

  /** `<cell>|<namespace>` where something was left out because others had taken the room; at most as many as are mapped. */
  readonly #crowded = new Set<string>();

  constructor(world: World) {
    const { clock, logger, controlPlaneId } = world;
    this.#world = world;
    this.#namespaces = new MappedNamespaces(controlPlaneId);
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 60_000 });
    this.#loop = new ReconcileLoop({
      name: 'returns',
      queue: this.#queue,
      concurrency,
      logger,
      reconcile: (key) => this.#reconcile(key, world.signal),
    });
    this.#policies = this.#informer(returnPoliciesGvr);
    this.#requests = this.#informer(returnRequestsGvr);
    this.#returned = this.#informer(returnedObjectsGvr, {
      transform: (object) => slimReturned(object as ReturnedObject),
    });
    this.#copies = this.#informer(
      { group: '', version: 'v1', resource: 'namespaces' },
      { metadataOnly: true, labelSelector: copyLabels.originCluster, transform: originsAlone },
    );
    this.#copies.addHandler(this.#onNamespaces());
    this.#policies.addHandler(all((object) => this.#queue.add(keyOf('policy', object))));
    this.#requests.addHandler(
      all((object) => {
        this.#queue.add(keyOf('request', object));
        const mapped = this.#namespaces.get(clusterOf(object), object.metadata.namespace ?? '');
        if (mapped === undefined) return;
        const policy = `${mapped.projectId}|${mapped.namespace}|${object.metadata.name ?? ''}`;
        this.#queue.addAfter(`status|${policy}`, statusDelayMs);
      }),
    );
    const look = (object: KubeObject) => this.#queue.add(keyOf('object', object));
    this.#returned.addHandler({
      onAdd: look,
      onUpdate: look,
      onDelete: (object) => {
        look(object);
        const place = `${clusterOf(object)}|${object.metadata.namespace ?? ''}`;
        if (this.#crowded.has(place)) this.#queue.addAfter(`room|${place}`, roomDelayMs);
      },
    });
    this.#projects = new ProjectKinds({
      discovery: world.discovery,
      makeInformer: ({ group, version, resource }, more) =>
        this.#informer({ group, version, resource }, more),
      transform: sourcesAlone,
      onChange: ({ key, kind }, object) => this.#onProject(key, kind, object),
    });
  }

  #informer(gvr: ObjectRef['gvr'], more: Partial<InformerOptions> = {}): Informer {
    const { client, clock, logger } = this.#world;
    return new Informer({
      client,
      clock,
      logger,
      collection: { cluster: everywhere, gvr },
      indexers: {
        namespace: (object) => [`${clusterOf(object)}|${object.metadata.namespace ?? ''}`],
        source: ({ metadata }) => [metadata.annotations?.[returnAnnotations.source] ?? ''],
      },
      ...more,
    });
  }

  #onProject(key: string, kind: ReturnableKind, object: KubeObject): void {
    this.#queue.add(`project|${key}|${addressOf(object)}`);
    if (kind === eventKind) return; // not counted
    const place = `${clusterOf(object)}|${object.metadata.namespace ?? ''}`;
    for (const policy of this.#policies.byIndex('namespace', place)) {
      this.#queue.addAfter(keyOf('status', policy), statusDelayMs);
    }
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
    for (const policy of this.#policies.values()) this.#queue.add(keyOf('policy', policy));
    for (const request of this.#requests.values()) this.#queue.add(keyOf('request', request));
    for (const returned of this.#returned.values()) this.#queue.add(keyOf('object', returned));
    for (const { key, informer } of this.#projects.values()) {
      for (const object of informer.values()) this.#queue.add(`project|${key}|${addressOf(object)}`);
    }
  }

  #informers(): Informer[] {
    return [this.#policies, this.#requests, this.#returned, this.#copies, ...this.#projects.informers()];
  }

  #onNamespaces(): InformerHandler {
    const look = (mapped: MappedNamespace | undefined) => {
      if (mapped === undefined) return;
      for (const policy of this.#policies.byIndex('namespace', `${mapped.projectId}|${mapped.namespace}`)) {
        this.#queue.add(keyOf('policy', policy));
      }
      const place = `${mapped.cellId}|${mapped.name}`;
      for (const request of this.#requests.byIndex('namespace', place))
        this.#queue.add(keyOf('request', request));
      for (const returned of this.#returned.byIndex('namespace', place))
        this.#queue.add(keyOf('object', returned));
    };
    const put = (object: KubeObject) => {
      look(this.#namespaces.remove(object));
      look(this.#namespaces.put(object));
    };
    return { onAdd: put, onUpdate: put, onDelete: (object) => look(this.#namespaces.remove(object)) };
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const [task = '', ...address] = key.split('|');
    switch (task) {
      case 'policy':
        this.#onPolicy(address);
        return undefined;
      case 'request':
        await this.#bringRequest(address, signal);
        return undefined;
      case 'object':
        return this.#bringObject(key, address, signal);
      case 'project':
        await this.#keepProject(address, signal);
        return undefined;
      case 'status':
        await this.#tellStatus(address, signal);
        return undefined;
      case 'room':
        this.#onRoom(address.join('|'));
        return undefined;
      default:
        throw new RangeError(`unknown task ${key}`);
    }
  }

  /** Some went: those that found no room are looked at again. */
  #onRoom(place: string): void {
    this.#crowded.delete(place);
    for (const returned of this.#returned.byIndex('namespace', place))
      this.#queue.add(keyOf('object', returned));
  }

  /** Looks at everything that the policy bears on: its requests, and what has come back into its namespace. */
  #onPolicy([projectId = '', namespace = '', name = '']: readonly string[]): void {
    for (const { cellId, name: cellNamespace } of this.#namespaces.of(projectId, namespace)) {
      this.#queue.add(`request|${cellId}|${cellNamespace}|${name}`);
      for (const returned of this.#returned.byIndex('namespace', `${cellId}|${cellNamespace}`)) {
        this.#queue.add(keyOf('object', returned));
      }
    }
    this.#queue.addAfter(`status|${projectId}|${namespace}|${name}`, statusDelayMs);
  }

  /** Brings one cell's ReturnRequest to what the project's policy of its name says. */
  async #bringRequest(
    [cellId = '', cellNamespace = '', name = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client, owns } = this.#world;
    const mapped = this.#namespaces.get(cellId, cellNamespace);
    const present = this.#requests.get(`${cellId}|${cellNamespace}/${name}`) as ReturnRequest | undefined;
    const ref: ObjectRef = { cluster: cellId, gvr: returnRequestsGvr, namespace: cellNamespace, name };
    if (mapped !== undefined && !owns(mapped.projectId)) return;
    const policy = mapped === undefined ? undefined : this.#policy(mapped.projectId, mapped.namespace, name);
    // Also of what was asked for before: it may have to go.
    const resources = [...(policy?.spec.resources ?? []), ...(present?.spec.resources ?? [])];
    if (mapped !== undefined) await this.#watchKinds(mapped.projectId, resources, signal);
    if (policy === undefined || !this.#coversCell(policy, cellId)) {
      if (present !== undefined) await this.#delete(ref, present.metadata.uid, signal);
      return;
    }
    const spec = {
      resources: policy.spec.resources,
      maxObjects: policy.spec.maxObjects ?? returnObjectsDefault,
      maxEvents: policy.spec.maxEvents ?? returnEventsDefault,
    };
    if (present !== undefined && equalJson(present.spec, spec)) return;
    await client.apply(
      ref,
      {
        apiVersion: `${returnRequestsGvr.group}/${returnRequestsGvr.version}`,
        kind: 'ReturnRequest',
        metadata: { name, namespace: cellNamespace },
        spec,
      },
      { fieldManager, force: true, signal },
    );
  }

  async #watchKinds(
    projectId: string,
    selectors: readonly ReturnSelector[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const selector of selectors) {
      const kind = returnKindOf(selector);
      if (kind === undefined || !isCustomGroup(kind.group)) continue;
      await this.#projects.in(projectId, kind, signal).catch((error: unknown) => {
        // Said of each object that comes.
        if (!isApiError(error, 'Forbidden')) throw error;
      });
    }
  }

  /** Brings what came from an edge into its project, where a policy there opens the way; else takes it away. */
  async #bringObject(
    key: string,
    [cellId = '', cellNamespace = '', name = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { client, owns, workspaces } = this.#world;
    const mapped = this.#namespaces.get(cellId, cellNamespace);
    if (mapped !== undefined && !owns(mapped.projectId)) return undefined;
    const source = `${cellId}|${cellNamespace}|${name}`;
    const slimmed = this.#returned.get(`${cellId}|${cellNamespace}/${name}`) as ReturnedObject | undefined;
    const wasRefused = this.#refusals.delete(key);
    const cell = workspaces.cellOf(cellId);
    const kind = slimmed === undefined ? undefined : returnKindOf(slimmed.spec);
    let known: ProjectKind | undefined;
    if (kind !== undefined && mapped !== undefined) {
      known = await this.#projects.in(mapped.projectId, kind, signal).catch((error: unknown) => {
        if (!isApiError(error, 'Forbidden')) throw error;
        this.#refuseKind(key, mapped, kind, error.message);
        return undefined;
      });
      // What stands there must be known before anything is written or deleted.
      if (known !== undefined && !known.informer.hasSynced) return { requeueAfterMs: unsyncedRecheckMs };
    }
    const wanted =
      slimmed === undefined || mapped === undefined || cell === undefined || known === undefined
        ? undefined
        : await this.#wanted(slimmed, known, mapped, cell, source, signal);
    // What came of it before, under another name or kind, or now unwanted.
    for (const { key: projectKey, kind: other, informer } of this.#projects.values()) {
      for (const object of informer.byIndex('source', source)) {
        const isIt = wanted?.key === projectKey && addressOf(object) === wanted.address;
        if (!isIt) await this.#delete(refOfProject(other, object), object.metadata.uid, signal);
      }
    }
    if (wanted === undefined || mapped === undefined) {
      if (wasRefused && mapped !== undefined) this.#tellPolicies(mapped);
      if (kind === undefined || mapped === undefined || known !== undefined) return undefined;
      if (this.#refusals.has(key)) return undefined;
      const message = `the project does not serve ${kind.kind} in ${formatApiVersion(kind)}`;
      return this.#refuseKind(key, mapped, kind, message) ? { requeueAfterMs: unservedRecheckMs } : undefined;
    }
    const { ref, form, state, policy } = wanted;
    const present = await this.#find(ref, signal);
    if (present === undefined) {
      await this.#written(key, mapped, policy, async () => {
        await client.apply(ref, form, { fieldManager, ifAbsent: true, signal });
        await this.#writeStatus(wanted, signal);
      });
      return undefined;
    }
    const { labels = {}, annotations = {}, uid, resourceVersion } = present.metadata;
    if (labels[returnedFromLabel] === undefined || annotations[returnAnnotations.source] !== source) {
      this.#refuse(
        key,
        mapped,
        policy,
        `${ref.gvr.resource} ${ref.name} is there and did not come from ${cell}`,
      );
      return undefined;
    }
    if (annotations[returnAnnotations.edgeState] === state) {
      await this.#writeStatusUnlessSame(wanted, present, signal);
      if (wasRefused) this.#tellPolicies(mapped);
      return undefined;
    }
    const guarded = { ...form, metadata: { ...(form['metadata'] as object), uid, resourceVersion } };
    await this.#written(key, mapped, policy, async () => {
      await client.apply(ref, guarded, { fieldManager, force: true, signal });
      await this.#writeStatus(wanted, signal);
    });
    return undefined;
  }

  async #writeStatus({ ref, form, status }: Wanted, signal: AbortSignal): Promise<void> {
    if (status === undefined) return;
    const { apiVersion = '', kind = '' } = form;
    const metadata = { name: ref.name, namespace: ref.namespace ?? '' };
    await this.#world.client.apply(
      ref,
      { apiVersion, kind, metadata, status },
      { fieldManager, force: true, subresource: 'status', signal },
    );
  }

  /** It may be that the object was written and its status was not. */
  async #writeStatusUnlessSame(wanted: Wanted, present: KubeObject, signal: AbortSignal): Promise<void> {
    const before = isJsonObject(present['status']) ? present['status'] : undefined;
    if (wanted.status === undefined || equalJson(before, wanted.status)) return;
    try {
      await this.#writeStatus(wanted, signal);
    } catch (error) {
      if (!isApiError(error, 'Invalid', 'Forbidden', 'BadRequest', 'NotFound')) throw error;
    }
  }

  /** What is to stand in the project for a ReturnedObject; undefined when no policy there asks for it. */
  async #wanted(
    slimmed: ReturnedObject,
    { kind, hasStatus, key: kindKey }: ProjectKind,
    mapped: MappedNamespace,
    cell: string,
    source: string,
    signal: AbortSignal,
  ): Promise<Wanted | undefined> {
    const key = `object|${source}`;
    // Its name is made of what it says to be: two cannot stand for one object, nor one for two.
    if (slimmed.metadata.name !== returnedObjectName(kind, slimmed.spec.name)) return undefined;
    if (!this.#world.workspaces.project(mapped.projectId)) return undefined;
    const { cellId, name: cellNamespace, namespace } = mapped;
    const ref = {
      cluster: cellId,
      gvr: returnedObjectsGvr,
      namespace: cellNamespace,
      name: slimmed.metadata.name ?? '',
    };
    const returned = (await this.#find(ref, signal)) as ReturnedObject | undefined;
    if (returned === undefined) return undefined;
    const { object } = returned.spec;
    const metadata = { ...(object['metadata'] as KubeObject['metadata']), name: returned.spec.name };
    const policy = this.#policyFor(mapped, kind, { ...object, metadata } as KubeObject);
    if (policy === undefined) return undefined;
    const policyName = policy.metadata.name ?? '';
    if (object['kind'] !== kind.kind || object['apiVersion'] !== formatApiVersion(kind)) {
      this.#refuse(
        key,
        mapped,
        policyName,
        `${kind.kind} ${returned.spec.name} of ${cell} is not what it says to be`,
      );
      return undefined;
    }
    if (staysAtEdge(kind.kind, { ...object, metadata } as KubeObject)) return undefined;
    if (kind === eventKind && this.#isOfOld(object)) return undefined;
    if (Buffer.byteLength(JSON.stringify(object)) > 2 * returnedObjectBytesMax) {
      this.#refuse(key, mapped, policyName, `${kind.kind} ${returned.spec.name} of ${cell} is too large`);
      return undefined;
    }
    if (!this.#isWithinMax(returned, mapped, policy)) {
      this.#crowded.add(`${cellId}|${cellNamespace}`);
      // Events go by themselves.
      if (kind !== eventKind) {
        this.#refuse(key, mapped, policyName, `${cell} has more objects than the policy allows`);
      }
      return undefined;
    }
    const naming = policy.spec.naming ?? 'Same';
    const options = { cell, source, cellNamespace, projectNamespace: namespace, naming } as const;
    const isEvent = kind === eventKind;
    const { group, version, resource } = kind;
    const name = isEvent
      ? projectEventNameOf(returned.spec.name, cell)
      : projectNameOf(returned.spec.name, options);
    const form = isEvent
      ? projectEventForm(returned, options, await this.#involvedUid(object, mapped, signal))
      : projectForm(returned, options);
    const status = isCustomGroup(group) ? projectStatusOf(returned, options) : undefined;
    return {
      key: kindKey,
      address: `${mapped.projectId}|${namespace}|${name}`,
      ref: { cluster: mapped.projectId, gvr: { group, version, resource }, namespace, name },
      form: status === undefined || hasStatus ? form : { ...form, status },
      status: hasStatus ? status : undefined,
      state: returned.metadata.annotations?.[returnAnnotations.edgeState] ?? '',
      policy: policyName,
    };
  }

  #isOfOld(event: JsonObject): boolean {
    const lastMs = parseTime(String(event['lastTimestamp'] ?? '')) ?? 0;
    return lastMs + returnedEventAgeMaxMs <= this.#world.clock.now();
  }

  /** uid of the project's object that an Event is about; '' when there is none: it is about something of the edge's own. */
  async #involvedUid(
    event: JsonObject,
    { projectId, namespace }: MappedNamespace,
    signal: AbortSignal,
  ): Promise<string> {
    const { client, discovery } = this.#world;
    const involved = isJsonObject(event['involvedObject']) ? event['involvedObject'] : {};
    const { apiVersion, kind, name } = involved;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string') return '';
    const found = await discovery.lookup(projectId, apiVersion, kind, signal);
    if (found?.namespaced !== true || name === '') return '';
    const { group, version, resource } = found;
    const ref = { cluster: projectId, gvr: { group, version, resource }, namespace, name };
    try {
      return (await client.get(ref, { metadataOnly: true, signal })).metadata.uid ?? '';
    } catch (error) {
      // A name that is no name at all is the edge's word too.
      if (isApiError(error, 'NotFound', 'BadRequest', 'Invalid')) return '';
      throw error;
    }
  }

  /** An edge that returns more than it was asked for gets no more in than that. */
  #isWithinMax(returned: ReturnedObject, { cellId, name }: MappedNamespace, policy: ReturnPolicy): boolean {
    const { maxObjects = returnObjectsDefault, maxEvents = returnEventsDefault } = policy.spec;
    const isEvent = isEventOf(returned);
    // New Events come before those go for which there is no room any more.
    const max = isEvent ? 2 * maxEvents : maxObjects;
    let before = 0;
    for (const other of this.#returned.byIndex('namespace', `${cellId}|${name}`)) {
      if (isEventOf(other as ReturnedObject) !== isEvent) continue;
      if ((other.metadata.uid ?? '') < (returned.metadata.uid ?? '')) before++;
      // Several policies may share a namespace: their bounds add up at most.
      if (before >= max * Math.max(1, this.#policyCount(policy))) return false;
    }
    return true;
  }

  #policyCount(policy: ReturnPolicy): number {
    let count = 0;
    for (const _ of this.#policies.byIndex(
      'namespace',
      `${clusterOf(policy)}|${policy.metadata.namespace ?? ''}`,
    )) {
      count++;
    }
    return count;
  }

  /** Deletes what stands in a project when what it came from is gone, as a read of the cell's workspace says. */
  async #keepProject(
    [kindKey = '', projectId = '', namespace = '', name = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const known = this.#projects.byKey(kindKey);
    const kind = known?.kind;
    const object = known?.informer.get(`${projectId}|${namespace}/${name}`);
    if (kind === undefined || !this.#world.owns(projectId)) return;
    if (object === undefined) {
      this.#lookForName(kind, projectId, namespace, name);
      return;
    }
    const source = object.metadata.annotations?.[returnAnnotations.source] ?? '';
    const [cellId = '', cellNamespace = '', returnedName = ''] = source.split('|');
    if (this.#returned.get(`${cellId}|${cellNamespace}/${returnedName}`) !== undefined) {
      this.#queue.add(`object|${source}`);
      return;
    }
    if (this.#world.workspaces.cellOf(cellId) !== undefined) {
      const ref = { cluster: cellId, gvr: returnedObjectsGvr, namespace: cellNamespace, name: returnedName };
      if ((await this.#find(ref, signal)) !== undefined) return; // its event is on the way
    }
    await this.#delete(refOfProject(kind, object), object.metadata.uid, signal);
  }

  /** A name has become free, or what was there has lost its mark: who waits for it is looked at. */
  #lookForName(kind: ReturnableKind, projectId: string, namespace: string, name: string): void {
    if (kind === eventKind) return; // what is told of it next comes
    const key = returnKindKey(kind);
    for (const { cellId, name: cellNamespace } of this.#namespaces.of(projectId, namespace)) {
      for (const returned of this.#returned.byIndex('namespace', `${cellId}|${cellNamespace}`)) {
        const { spec } = returned as ReturnedObject;
        if (spec.kind !== kind.kind || !name.startsWith(spec.name)) continue;
        const other = returnKindOf(spec);
        if (other !== undefined && returnKindKey(other) === key) this.#queue.add(keyOf('object', returned));
      }
    }
  }

  async #tellStatus(
    [projectId = '', namespace = '', name = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const policy = this.#policy(projectId, namespace, name);
    if (policy === undefined || !this.#world.owns(projectId)) return;
    let returned = 0;
    for (const { kind, informer } of this.#projects.values()) {
      if (kind === eventKind) continue;
      for (const object of informer.byIndex('namespace', `${projectId}|${namespace}`)) {
        if (selectsReturn(policy.spec.resources, kind, this.#atEdge(object))) returned++;
      }
    }
    const messages: string[] = [];
    for (const refusal of this.#refusals.values()) {
      if (refusal.policy === `${projectId}|${namespace}|${name}`) messages.push(refusal.message);
    }
    const refused = messages.length;
    const unserved = this.#unserved(projectId, namespace, name);
    messages.push(...unserved.map(({ message }) => message));
    const old = policy.status ?? {};
    const conditions = withCondition(
      old.conditions,
      messages.length === 0
        ? { type: 'Returned', status: 'True', reason: 'Returned', message: 'what the edges have is here' }
        : {
            type: 'Returned',
            status: 'False',
            reason: refused > 0 ? 'Refused' : (unserved[0]?.reason ?? 'APINotServed'),
            message: (refused > 0 ? `${refused} refused, first: ${messages[0]}` : messages.join('; ')).slice(
              0,
              1_024,
            ),
          },
      nowTime(this.#world.clock.now()),
    );
    const observedGeneration = policy.metadata.generation ?? 0;
    const status = { observedGeneration, returned, refused, conditions: [...conditions] };
    if (equalJson(old, status)) return;
    const ref = { cluster: projectId, gvr: returnPoliciesGvr, namespace, name };
    try {
      await this.#world.client.patch(
        ref,
        { type: 'merge', body: { status } },
        { subresource: 'status', fieldManager, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  /** What the cells that the policy asks say of kinds that their edges do not serve, or do not let be read. */
  #unserved(
    projectId: string,
    namespace: string,
    name: string,
  ): { readonly reason: string; readonly message: string }[] {
    const messages: { reason: string; message: string }[] = [];
    for (const { cellId, name: cellNamespace } of this.#namespaces.of(projectId, namespace)) {
      const request = this.#requests.get(`${cellId}|${cellNamespace}/${name}`) as ReturnRequest | undefined;
      const { reason = 'APINotServed', message = '' } = request?.status ?? {};
      if (message === '') continue;
      messages.push({ reason, message: `${this.#world.workspaces.cellOf(cellId) ?? cellId}: ${message}` });
    }
    return messages.sort((a, b) => (a.message < b.message ? -1 : 1));
  }

  /** Selected by the name that it has at the edge. */
  #atEdge(object: KubeObject): KubeObject {
    const [cellId = '', cellNamespace = '', name = ''] =
      object.metadata.annotations?.[returnAnnotations.source]?.split('|') ?? [];
    const returned = this.#returned.get(`${cellId}|${cellNamespace}/${name}`) as ReturnedObject | undefined;
    const metadata = { ...object.metadata, name: returned?.spec.name ?? object.metadata.name ?? '' };
    return { ...object, metadata };
  }

  async #written(
    key: string,
    mapped: MappedNamespace,
    policy: string,
    write: () => Promise<void>,
  ): Promise<void> {
    try {
      await write();
    } catch (error) {
      // Taken, or changed, meanwhile: looked at again. Refused: told, and tried again when something changes.
      if (!isApiError(error, 'Invalid', 'Forbidden', 'BadRequest')) throw error;
      this.#refuse(key, mapped, policy, error.message);
      return;
    }
    this.#tellPolicies(mapped);
  }

  #refuse(key: string, mapped: MappedNamespace, policy: string, message: string): void {
    this.#refusals.set(key, { policy: `${mapped.projectId}|${mapped.namespace}|${policy}`, message });
    this.#tellPolicies(mapped);
  }

  /** For the policies that ask for the kind; false when there are none. */
  #refuseKind(key: string, mapped: MappedNamespace, kind: ReturnKind, message: string): boolean {
    const wanted = returnKindKey(kind);
    const policy = this.#policiesOf(mapped).find(({ spec }) =>
      spec.resources.some((selector) => {
        const selected = returnKindOf(selector);
        return selected !== undefined && returnKindKey(selected) === wanted;
      }),
    );
    if (policy !== undefined) this.#refuse(key, mapped, policy.metadata.name ?? '', message);
    return policy !== undefined;
  }

  #tellPolicies({ projectId, namespace }: MappedNamespace): void {
    for (const policy of this.#policies.byIndex('namespace', `${projectId}|${namespace}`)) {
      this.#queue.addAfter(keyOf('status', policy), statusDelayMs);
    }
  }

  #policyFor(mapped: MappedNamespace, kind: ReturnKind, object: KubeObject): ReturnPolicy | undefined {
    return this.#policiesOf(mapped).find(({ spec }) => selectsReturn(spec.resources, kind, object));
  }

  /** Those that ask this cell. */
  #policiesOf({ projectId, namespace, cellId }: MappedNamespace): ReturnPolicy[] {
    const policies: ReturnPolicy[] = [];
    for (const object of this.#policies.byIndex('namespace', `${projectId}|${namespace}`)) {
      const policy = object as ReturnPolicy;
      if (this.#coversCell(policy, cellId) && policy.metadata.deletionTimestamp === undefined)
        policies.push(policy);
    }
    return policies;
  }

  #coversCell({ spec }: ReturnPolicy, cellId: string): boolean {
    const cell = this.#world.workspaces.cellOf(cellId);
    return cell !== undefined && (spec.cells === undefined || spec.cells.includes(cell));
  }

  #policy(projectId: string, namespace: string, name: string): ReturnPolicy | undefined {
    const policy = this.#policies.get(`${projectId}|${namespace}/${name}`) as ReturnPolicy | undefined;
    return policy?.metadata.deletionTimestamp === undefined ? policy : undefined;
  }

  async #find(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#world.client.get(ref, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #delete(ref: ObjectRef, uid: string | undefined, signal: AbortSignal): Promise<void> {
    try {
      await this.#world.client.delete(ref, { preconditions: { uid }, signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}

function all(look: (object: KubeObject) => void): InformerHandler {
  return { onAdd: look, onUpdate: look, onDelete: look };
}

function clusterOf({ metadata }: KubeObject): string {
  return metadata.annotations?.[clusterAnnotation] ?? '';
}

function addressOf(object: KubeObject): string {
  return `${clusterOf(object)}|${object.metadata.namespace ?? ''}|${object.metadata.name ?? ''}`;
}

function keyOf(task: string, object: KubeObject): string {
  return `${task}|${addressOf(object)}`;
}

function isEventOf({ spec }: ReturnedObject): boolean {
  return spec.kind === eventKind.kind && spec.apiVersion === undefined;
}

function refOfProject(
  { group, version, resource }: ReturnableKind,
  { metadata, ...object }: KubeObject,
): ObjectRef {
  const cluster = clusterOf({ ...object, metadata } as KubeObject);
  return {
    cluster,
    gvr: { group, version, resource },
    namespace: metadata.namespace,
    name: metadata.name ?? '',
  };
}
