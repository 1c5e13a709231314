import { copyAnnotations, copyLabels, syncAnnotations } from '#api/federation/copy-contract.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { divideByWebster } from '#scheduler/algorithm/webster.ts';
import { type Content, type LoadKind, loadKinds, readContent } from './kinds.ts';
import type { LoadObject } from './load.ts';
import type { LoadPolicy, Weights } from './policies.ts';

export interface ProjectPlane {
  readonly path: string;
  readonly client: KubeClient;
  readonly objects: readonly LoadObject[];
  readonly policies: readonly LoadPolicy[];
}

export interface CellPlane {
  readonly name: string;
  /** Of the cell's workspace. */
  readonly cellClient: KubeClient;
  readonly edgeClient: KubeClient;
}

/** An object of some plane under the name that it has in its project. */
interface Found {
  readonly key: string;
  readonly content: Content;
  readonly object: KubeObject;
}

interface Expected {
  readonly content: Content;
  /** Cell → replicas (0 for kinds without). */
  readonly cells: ReadonlyMap<string, number>;
  readonly object: KubeObject;
}

const text = (content: Content): string => JSON.stringify(content);

/**
 * Everything in which the planes differ from what the acknowledged writes and the policies ask for: projects, bindings,
 * cell workspaces, edges, statuses. Empty when all has come together.
 */
export async function differences(
  projects: readonly ProjectPlane[],
  cells: readonly CellPlane[],
): Promise<string[]> {
  const found: string[] = [];
  const wanted = new Map<string, Expected>();
  for (const project of projects) await compareProject(project, cells, wanted, found);
  /** Key → how many are ready in each copy and at each edge. */
  const statuses = new Map<string, { sum: number; told: string[] }>();
  const names = new MappedNames(found);
  for (const cell of cells) {
    const copies = await planeObjects(cell.cellClient, cell.name, names);
    comparePlane(`cell ${cell.name}`, cell.name, wanted, copies, new Map(), found);
    const errors = syncErrors(copies);
    const atEdge = await planeObjects(cell.edgeClient, cell.name, names);
    comparePlane(`edge ${cell.name}`, cell.name, wanted, atEdge, errors, found);
    for (const { key, object } of [...copies, ...atEdge]) {
      const place = statuses.get(key) ?? { sum: 0, told: [] };
      const ready = readyOf(object);
      const isCopy = copies.some((copy) => copy.object === object);
      place.told.push(`${isCopy ? 'copy' : 'edge'} ${cell.name}: ${ready}`);
      if (!isCopy) place.sum += ready;
      statuses.set(key, place);
    }
  }
  for (const [key, { object }] of wanted) {
    if (object.kind !== 'Deployment') continue;
    const { sum, told } = statuses.get(key) ?? { sum: 0, told: [] };
    if (readyOf(object) !== sum)
      found.push(`${key}: ${readyOf(object)} ready in the project; ${told.join(', ')}`);
  }
  return found;
}

function readyOf(object: KubeObject): number {
  return ((object['status'] ?? {}) as { readyReplicas?: number }).readyReplicas ?? 0;
}

/** Why copies are not at their edge, as they themselves say. */
function syncErrors(copies: readonly Found[]): ReadonlyMap<string, string> {
  return new Map(
    copies.flatMap(({ key, object }) => {
      const error = object.metadata.annotations?.[syncAnnotations.syncError];
      return error === undefined ? [] : [[key, error]];
    }),
  );
}

async function compareProject(
  project: ProjectPlane,
  cells: readonly CellPlane[],
  wanted: Map<string, Expected>,
  found: string[],
): Promise<void> {
  const weights = new Map(project.policies.map(({ namespace, tracked }) => [namespace, tracked.state]));
  const live = new Map<string, KubeObject>();
  for (const kind of loadKinds) {
    for (const object of await listIn(project.client, kind, weights.keys())) {
      live.set(keyOf(project.path, kind.kind, object.metadata.namespace, object.metadata.name), object);
    }
  }
  const bindings = await bindingsOf(project, weights.keys());
  for (const { kind, namespace, name, tracked } of project.objects) {
    const key = keyOf(project.path, kind.kind, namespace, name);
    const object = live.get(key);
    const binding = bindings.get(key);
    live.delete(key);
    bindings.delete(key);
    const { state } = tracked;
    if (state === undefined || object === undefined) {
      if (state !== undefined) found.push(`${key} is missing in the project`);
      if (object !== undefined) found.push(`${key} is in the project, but was deleted`);
      if (binding !== undefined) found.push(`${key} has a binding without an object`);
      continue;
    }
    const content = readContent(kind, object);
    if (text(content) !== text(state)) found.push(`${key} holds ${text(content)}, must hold ${text(state)}`);
    const targets = targetsOf(kind, state, object, weights.get(namespace), cells);
    compareBinding(key, binding, targets, kind, found);
    wanted.set(key, { content: state, cells: targets, object });
  }
  for (const key of live.keys()) found.push(`${key} is in the project, and nobody made it`);
  for (const key of bindings.keys()) found.push(`binding of ${key}, which nobody made`);
}

function targetsOf(
  kind: LoadKind,
  { replicas }: Content,
  object: KubeObject,
  weights: Weights | undefined,
  cells: readonly CellPlane[],
): ReadonlyMap<string, number> {
  if (weights === undefined) return new Map();
  const parties = cells
    .map(({ name }) => ({ name, weight: weights[name] ?? 0 }))
    .filter(({ weight }) => weight > 0);
  if (!kind.scalable) return new Map(parties.map(({ name }) => [name, 0]));
  const seats = divideByWebster(replicas, parties, object.metadata.uid);
  return new Map(parties.map(({ name }, i) => [name, seats[i] ?? 0] as const).filter(([, seat]) => seat > 0));
}

function compareBinding(
  key: string,
  binding: ResourceBinding | undefined,
  targets: ReadonlyMap<string, number>,
  kind: LoadKind,
  found: string[],
): void {
  const has = new Map((binding?.spec.clusters ?? []).map(({ name, replicas = 0 }) => [name, replicas]));
  const show = (map: ReadonlyMap<string, number>) =>
    [...map]
      .map(([name, n]) => (kind.scalable ? `${name}:${n}` : name))
      .sort()
      .join(' ') || 'nowhere';
  if (show(has) !== show(targets))
    found.push(`binding of ${key} says ${show(has)}, must say ${show(targets)}`);
}

function comparePlane(
  plane: string,
  cell: string,
  wanted: ReadonlyMap<string, Expected>,
  objects: readonly Found[],
  errors: ReadonlyMap<string, string>,
  found: string[],
): void {
  const present = new Set<string>();
  for (const { key, content, object } of objects) {
    if (present.has(key)) found.push(`${plane}: ${key} is there twice`);
    present.add(key);
    const expected = wanted.get(key);
    const replicas = expected?.cells.get(cell);
    if (expected === undefined || replicas === undefined) found.push(`${plane}: ${key} is an orphan`);
    else {
      const should = text({ ...expected.content, replicas });
      if (text(content) !== should)
        found.push(`${plane}: ${key} holds ${text(content)}, must hold ${should}`);
      const uid = object.metadata.annotations?.[copyAnnotations.originUid];
      if (uid !== expected.object.metadata.uid) found.push(`${plane}: ${key} is of an earlier object`);
    }
    if (object.metadata.deletionTimestamp !== undefined) found.push(`${plane}: ${key} lingers`);
  }
  for (const [key, { cells }] of wanted) {
    if (cells.has(cell) && !present.has(key)) {
      found.push(`${plane}: ${key} is missing; ${errors.get(key) ?? 'no error is told'}`);
    }
  }
}

/** Every project namespace has one name in all cells, and no two share one. */
class MappedNames {
  readonly #found: string[];
  readonly #mapped = new Map<string, string>();
  readonly #origin = new Map<string, string>();

  constructor(found: string[]) {
    this.#found = found;
  }

  check(origin: string, mapped: string): void {
    const before = this.#mapped.get(origin) ?? mapped;
    if (before !== mapped) this.#found.push(`${origin} is both ${before} and ${mapped}`);
    const other = this.#origin.get(mapped) ?? origin;
    if (other !== origin) this.#found.push(`${mapped} stands for both ${other} and ${origin}`);
    this.#mapped.set(origin, mapped);
    this.#origin.set(mapped, origin);
  }
}

/** What in a cell workspace or at an edge came from projects, of the kinds of the load. */
async function planeObjects(client: KubeClient, cell: string, names: MappedNames): Promise<Found[]> {
  const lists = await Promise.all(
    loadKinds.map(async (kind) => {
      const collection = { cluster: undefined, gvr: kind.gvr };
      const { items } = await client.list(collection, { labelSelector: copyLabels.originCluster });
      return items.map((object) => {
        const at = object.metadata.annotations ?? {};
        const path = at[copyAnnotations.originPath] ?? `unknown to ${cell}`;
        const namespace = at[copyAnnotations.originNamespace] ?? '';
        names.check(`${path} ${namespace}`, object.metadata.namespace ?? '');
        const key = keyOf(path, kind.kind, namespace, at[copyAnnotations.originName]);
        // Labels that controllers and people add at an edge are theirs; ours must be there.
        return { key, content: readContent(kind, object), object };
      });
    }),
  );
  return lists.flat();
}

async function listIn(
  client: KubeClient,
  kind: LoadKind,
  namespaces: Iterable<string>,
): Promise<KubeObject[]> {
  const all: KubeObject[] = [];
  for (const namespace of namespaces) {
    const { items } = await client.list({ cluster: undefined, gvr: kind.gvr, namespace });
    all.push(...items.filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt'));
  }
  return all;
}

async function bindingsOf(
  { client, path }: ProjectPlane,
  namespaces: Iterable<string>,
): Promise<Map<string, ResourceBinding>> {
  const bindings = new Map<string, ResourceBinding>();
  for (const namespace of namespaces) {
    const { items } = await client.list({ cluster: undefined, gvr: resourceBindingsGvr, namespace });
    for (const item of items as ResourceBinding[]) {
      bindings.set(keyOf(path, item.spec.resource.kind, namespace, item.spec.resource.name), item);
    }
  }
  return bindings;
}

function keyOf(path: string, kind: string, namespace: string | undefined, name: string | undefined): string {
  return `${path} ${kind} ${namespace ?? ''}/${name ?? ''}`;
}

/** Everything that stands in all planes with its revision: equal texts mean that nobody wrote anything between. */
export async function revisions(
  projects: readonly ProjectPlane[],
  cells: readonly CellPlane[],
): Promise<string> {
  const clients = [
    ...projects.map(({ client }) => client),
    ...cells.flatMap(({ cellClient, edgeClient }) => [cellClient, edgeClient]),
  ];
  const kinds = [...loadKinds.map(({ gvr }) => gvr)];
  const lists = await Promise.all(
    clients.flatMap((client, at) =>
      [...kinds, ...(at < projects.length ? [resourceBindingsGvr] : [])].map(async (gvr) => {
        const { items } = await client.list({ cluster: undefined, gvr });
        return items.map(
          ({ kind, metadata }) =>
            `${at} ${kind} ${metadata.namespace}/${metadata.name} ${metadata.resourceVersion}`,
        );
      }),
    ),
  );
  return lists.flat().join('\n');
}
