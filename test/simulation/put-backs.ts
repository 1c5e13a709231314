import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { KeyValue } from '#storage/storage.ts';
import type { ProjectPlane } from '../chaos/compare.ts';
import { loadKinds, renderObject } from '../chaos/kinds.ts';
import type { LoadObject } from '../chaos/load.ts';
import { policiesGvr, policyName } from '../chaos/policies.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { oursAt } from './ours-at.ts';
import type { Plane } from './world/plane.ts';
import type { World } from './world/world.ts';

export interface PutBackOptions {
  readonly world: World;
  readonly random: Random;
  readonly projects: readonly ProjectPlane[];
  /** Resolves when all planes agree, or it is told that they do not; lets happen what is held. */
  readonly agree: () => Promise<void>;
  /** Changes every object that may be changed. */
  readonly change: () => Promise<void>;
  readonly putBack: (cell: string, backup: readonly KeyValue[]) => void;
  readonly restored: (server: Plane) => Promise<void>;
  readonly violation: (what: string) => void;
}

/** So many writes at an edge are made good by nothing that happens there after it was put back. */
const writesBehind = 300;
/** Within it federators that are started again have looked at all of their edges, and swept them. */
const lookedMs = 90_000;
const waitMsMax = 60_000;

/** An edge's etcd is put back: its revisions begin again at an earlier one, of which its watches tell nothing. */
export async function rewindEdge(options: PutBackOptions): Promise<void> {
  const { world, random, projects, agree, change, putBack, restored } = options;
  const { cell, policies } = emptied(options);
  const edge = world.edge(cell);
  const backup = await edge.backUp();
  const before = policies.map(({ tracked }) => tracked.state ?? {});
  if (random.next() < 0.5) await emptyCell(options, cell, policies);
  await change();
  await agree();
  await writeMuch(world.lookAt(edge));
  await edge.rewind(backup);
  putBack(cell, backup);
  await edge.start();
  await restored(edge);
  await agree();
  for (const [at] of projects.entries()) await policies[at]?.set(before[at] ?? {});
}

/**
 * The federation is put back to when a cell had fewer copies, and no federator remembers those that came since: nothing says that
 * they were withdrawn, so what stands for them at the edge stays until a person has looked.
 */
export async function forgetCopies(options: PutBackOptions): Promise<void> {
  const { world, agree, restored, violation } = options;
  const { federation, time } = world;
  const { cell, policies } = emptied(options);
  const before = policies.map(({ tracked }) => tracked.state ?? {});
  await emptyCell(options, cell, policies);
  await agree();
  const backup = await federation.backUp();
  for (const [at, policy] of policies.entries()) await policy.set(before[at] ?? {});
  await agree();
  const standing = await oursAt(world, cell);
  const federators = world.parts.filter(({ name }) => name.startsWith('federator'));
  for (const federator of federators) federator.kill();
  await federation.restore(backup);
  await federation.start();
  for (const federator of federators) await federator.start();
  await restored(federation);
  await time.sleep(lookedMs);
  const left = new Set((await oursAt(world, cell)).map(({ metadata }) => metadata.uid));
  for (const { kind, metadata } of standing) {
    if (left.has(metadata.uid)) continue;
    violation(
      `${cell}: ${kind} ${metadata.namespace}/${metadata.name} went although nothing says that its copy was withdrawn`,
    );
  }
  const { status } = (await federation.admin.get({
    cluster: cellsWorkspacePath,
    gvr: cellsGvr,
    name: cell,
  })) as Cell;
  if (conditionOf(status?.conditions, 'DeletionHeld')?.status !== 'True') {
    violation(`${cell}: deletions are held, and nobody is told`);
  }
}

/** Objects whose policy preserves them go from their projects, and are made anew some time later. */
export async function leaveBehind(options: PutBackOptions & { readonly pinned: ReadonlySet<LoadObject> }) {
  const { world, projects, pinned, agree, violation } = options;
  const preserve = async (isPreserved: boolean): Promise<void> => {
    for (const { client, policies } of projects) {
      const ref = {
        cluster: undefined,
        gvr: policiesGvr,
        namespace: policies[0]?.namespace,
        name: policyName,
      };
      await client.patch(ref, {
        type: 'merge',
        body: { spec: { preserveResourcesOnDeletion: isPreserved } },
      });
    }
  };
  const left = projects.flatMap(({ client, objects, policies }) =>
    objects
      .filter((object) => object.namespace === policies[0]?.namespace && !pinned.has(object))
      .map((object) => ({ client, object, state: object.tracked.state })),
  );
  const namespaces = new Set(left.map(({ object }) => object.namespace));
  const cells = [...world.edges.keys()];
  const standingAt = async (cell: string): Promise<KubeObject[]> =>
    (await oursAt(world, cell)).filter(({ metadata: { annotations = {} } }) =>
      namespaces.has(annotations[copyAnnotations.originNamespace] ?? ''),
    );
  const isOrphan = ({ metadata }: KubeObject): boolean =>
    metadata.annotations?.[copyAnnotations.deletionPolicy] === 'Orphan';
  await preserve(true);
  await agree();
  await until(
    'the edges know what is preserved',
    async () => (await Promise.all(cells.map(standingAt))).flat().every(isOrphan),
    { timeoutMs: waitMsMax, everyMs: 500 },
  );
  const before = await Promise.all(cells.map(standingAt));
  for (const { client, object, state } of left) {
    if (state !== undefined) await object.tracked.write(undefined, () => client.delete(object.ref));
  }
  await world.time.sleep(lookedMs);
  for (const part of world.parts) {
    if (!part.name.startsWith('federator')) continue;
    part.kill();
    await part.start();
  }
  await world.time.sleep(lookedMs);
  for (const [at, cell] of cells.entries()) {
    const now = new Set((await standingAt(cell)).map(({ metadata }) => metadata.uid));
    for (const { kind, metadata } of before[at] ?? []) {
      if (now.has(metadata.uid)) continue;
      violation(`${cell}: ${kind} ${metadata.namespace}/${metadata.name} was to be left behind, and is gone`);
    }
  }
  // Made anew, with another uid, an object may get no replicas where it had some: what is left there is a person's to take away.
  for (const cell of cells) await deleteScalable(world.lookAt(world.edge(cell)), await standingAt(cell));
  await preserve(false);
  for (const { client, object, state } of left) {
    const { kind, namespace, name, ref, tracked } = object;
    if (state === undefined) continue;
    await tracked.write(state, () => client.create(ref, renderObject(kind, namespace, name, state)));
  }
  await agree();
  for (const cell of cells) {
    for (const { kind, metadata } of (await standingAt(cell)).filter(isOrphan)) {
      violation(
        `${cell}: ${kind} ${metadata.namespace}/${metadata.name} is nobody's although it has a copy again`,
      );
    }
  }
}

/** A cell, and the projects' policies of the namespace that is emptied there. */
function emptied({ world, random, projects }: PutBackOptions) {
  return {
    cell: random.pick([...world.edges.keys()]),
    policies: projects.map(({ policies: [policy] }) => policy as ProjectPlane['policies'][number]),
  };
}

async function emptyCell(
  { world, random }: PutBackOptions,
  cell: string,
  policies: readonly ProjectPlane['policies'][number][],
): Promise<void> {
  const other = random.pick([...world.edges.keys()].filter((name) => name !== cell));
  for (const policy of policies) await policy.set({ [other]: 1 });
}

async function deleteScalable(look: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const { kind, metadata } of objects) {
    const { gvr, scalable = false } = loadKinds.find((one) => one.kind === kind) ?? {};
    if (gvr === undefined || !scalable) continue;
    await look.delete({ cluster: undefined, gvr, namespace: metadata.namespace, name: metadata.name ?? '' });
  }
}

/** As an edge does all the time with leases and events of its own. */
async function writeMuch(look: KubeClient): Promise<void> {
  const gvr = { group: '', version: 'v1', resource: 'configmaps' };
  const ref = { cluster: undefined, gvr, namespace: 'default', name: 'busy' };
  await look.create(ref, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'busy' } });
  for (let i = 0; i < writesBehind; i++) {
    await look.patch(ref, { type: 'merge', body: { data: { at: String(i) } } });
  }
  await look.delete(ref);
}
