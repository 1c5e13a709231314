import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { federatorsGvr } from '#api/federation/federator.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { claimantOf, takeClaimOver } from '#cli/edge-claimant.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import { readClaim } from '#federator/edge/edge-claim.ts';
import { loadKinds } from '../chaos/kinds.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { oursAt } from './ours-at.ts';
import { cellOf, type World } from './world/world.ts';

export interface LeavingOptions {
  readonly world: World;
  readonly random: Random;
  /** Changes every object that may be changed; or those alone whose changes go to all cells at once. */
  readonly change: (which: 'all' | 'unstaged') => Promise<void>;
  /** In what the planes differ now. */
  readonly differences: () => Promise<string[]>;
  /** Everything of ours may go from that edge now, what is pinned too; or not any more. */
  readonly mayGo: (cell: string, may: boolean) => void;
  /** The cell has another workspace now. */
  readonly rejoined: (cell: string) => Promise<void>;
  readonly violation: (what: string) => void;
}

const goneMsMax = 300_000;
/** In which a federator that goes on with what is no more its own would have done so. */
const idleMs = 20_000;
/** A foreign claim is found by the next look at the edge (`healthCheck.intervalSeconds`). */
const lookMs = 40_000;
/** A hand-over waits for no lease (10 s). */
const handOverMsMax = 8_000;
const faultRate = 0.15;
const faultMs = 5_000;
const writesMax = 30;
const downMs = 2_000;
const taker = 'taker';

/** `cellplane cell unjoin`, among faults: nothing of ours is left there, nor our claim; then it is joined again. */
export async function withdrawCell(options: LeavingOptions): Promise<void> {
  const { world, random, violation, mayGo } = options;
  const cell = random.pick([...world.edges.keys()]);
  mayGo(cell, true);
  await underFire(options, () => removeCell(world, cell, 'Withdraw'));
  for (const object of await oursAt(world, cell)) {
    violation(`${cell} was withdrawn, and ${nameOf(object)} is left there`);
  }
  const claim = await readClaim(world.lookAt(world.edge(cell)), {});
  if (claim !== undefined) violation(`${cell} was withdrawn, and its edge is still ${claim.cellName}'s`);
  mayGo(cell, false);
  await joinAgain(options, cell);
}

/** `cellplane cell unjoin --orphan`, among faults: all of it stays as it is; joined again, it is the cell's again. */
export async function orphanCell(options: LeavingOptions): Promise<void> {
  const { world, random, violation } = options;
  const cell = random.pick([...world.edges.keys()]);
  const before = await oursAt(world, cell);
  await underFire(options, () => removeCell(world, cell, 'Orphan'));
  await world.time.sleep(idleMs);
  for (const what of changesOf(before, await oursAt(world, cell), cell))
    violation(`orphaned ${cell}: ${what}`);
  await joinAgain(options, cell);
}

/** Another Cell takes the edge over: the former one's federator does nothing there any more, until it is given back. */
export async function takeOver(options: LeavingOptions): Promise<void> {
  const { world, random, violation, change } = options;
  const cell = random.pick([...world.edges.keys()]);
  const { admin } = world.federation;
  await admin.create({ cluster: cellsWorkspacePath, gvr: cellsGvr }, cellOf(taker, cell));
  await claimFor(world, cell, taker);
  await world.time.sleep(lookMs);
  const { status } = await readCell(world, cell);
  const ready = conditionOf(status?.conditions, 'Ready');
  if (ready?.reason !== 'ForeignClaim') violation(`${cell} was taken over, and is ${ready?.reason}`);
  const before = await oursAt(world, cell);
  await change('all');
  await world.time.sleep(idleMs);
  for (const what of changesOf(before, await oursAt(world, cell), cell)) violation(`taken over: ${what}`);
  await removeCell(world, taker, 'Orphan');
  await claimFor(world, cell, cell);
}

/** A federator that is to have no cells hands them over at once. */
export async function drainFederator({
  world,
  random,
  change,
  differences,
  violation,
}: LeavingOptions): Promise<void> {
  const cells = await Promise.all([...world.edges.keys()].map((cell) => readCell(world, cell)));
  const holders = new Set(cells.map(({ status }) => status?.assignment?.federator ?? ''));
  const federator = random.pick([...holders]);
  const ref = { cluster: cellsWorkspacePath, gvr: federatorsGvr, name: federator };
  const set = (unschedulable: boolean) =>
    world.federation.admin.patch(ref, { type: 'merge', body: { spec: { unschedulable } } });
  await set(true);
  await change('unstaged');
  const endMs = world.time.nowMs + handOverMsMax;
  for (;;) {
    const found = await differences();
    if (found.length === 0) break;
    if (world.time.nowMs > endMs) {
      violation(`${federator} was drained, and ${handOverMsMax} ms later: ${found[0]}`);
      break;
    }
    await world.time.sleep(500);
  }
  for (const cell of world.edges.keys()) {
    const { status } = await readCell(world, cell);
    if (status?.assignment?.federator === federator) violation(`${federator} was drained, and has ${cell}`);
  }
  await set(false);
}

/** Faults of the network for a while, and kills around writes of whoever works on it until it is done. */
async function underFire({ world, random }: LeavingOptions, act: () => Promise<void>): Promise<void> {
  const repairs: Promise<void>[] = [];
  for (const part of world.parts.filter(({ name }) => /^federator|^scheduler/.test(name))) {
    const when = random.pick(['before', 'after'] as const);
    part.process?.aimAtWrite(random.between(1, writesMax), when, () => {
      part.kill();
      repairs.push(world.time.sleep(downMs).then(() => part.start()));
    });
  }
  world.network.faultRate = faultRate;
  // Before a namespace goes all kinds are looked through: that gets through no longer than this.
  const calmed = world.time.sleep(faultMs).then(() => {
    world.network.faultRate = 0;
  });
  await Promise.all([act(), calmed]);
  for (const { process } of world.parts) process?.forgetAim();
  await Promise.all(repairs);
}

async function removeCell(world: World, name: string, deletionPolicy: 'Withdraw' | 'Orphan'): Promise<void> {
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
  const { admin } = world.federation;
  await admin.patch(ref, { type: 'merge', body: { spec: { deletionPolicy } } });
  await admin.delete(ref);
  const workspace = `${cellsWorkspacePath}:${name}`;
  await until(
    `cell ${name} and its workspace are gone`,
    async () => (await isAbsent(admin, ref)) && !(await isServed(world.lookAt(world.federation, workspace))),
    { timeoutMs: goneMsMax, everyMs: 500 },
  );
}

/** As `cellplane cell join`. */
async function joinAgain({ world, rejoined }: LeavingOptions, cell: string): Promise<void> {
  await world.federation.admin.create({ cluster: cellsWorkspacePath, gvr: cellsGvr }, cellOf(cell, cell));
  await claimFor(world, cell, cell);
  const workspace = world.lookAt(world.federation, `${cellsWorkspacePath}:${cell}`);
  await until(`the workspace of ${cell} is served`, () => isServed(workspace), { timeoutMs: 60_000 });
  await rejoined(cell);
}

/** Makes the edge that cell's, whoever had it. */
async function claimFor(world: World, edge: string, cell: string): Promise<void> {
  const edgeClient = world.lookAt(world.edge(edge));
  const federationClient = world.peopleAt(world.federation);
  const { signal } = new AbortController();
  const present = await readClaim(edgeClient, { signal });
  const { controlPlaneId } = await readControlPlane(federationClient, signal);
  const claimant = await claimantOf(present, { federationClient, controlPlaneId }, cell, signal);
  if (claimant.kind !== 'none') {
    await takeClaimOver({ edgeClient, federationClient }, claimant, cell, signal);
  }
}

async function readCell(world: World, name: string): Promise<Cell> {
  return (await world.federation.admin.get({ cluster: cellsWorkspacePath, gvr: cellsGvr, name })) as Cell;
}

function changesOf(before: readonly KubeObject[], now: readonly KubeObject[], cell: string): string[] {
  const found = new Map(now.map((object) => [object.metadata.uid, object]));
  return before.flatMap((object) => {
    const after = found.get(object.metadata.uid);
    if (after === undefined) return [`${nameOf(object)} is gone from ${cell}`];
    const hash = (one: KubeObject) => one.metadata.annotations?.[copyAnnotations.contentHash];
    return hash(after) === hash(object) ? [] : [`${nameOf(object)} was changed at ${cell}`];
  });
}

function nameOf({ kind, metadata: { namespace, name } }: KubeObject): string {
  return `${kind} ${namespace}/${name}`;
}

async function isAbsent(client: KubeClient, ref: ObjectRef): Promise<boolean> {
  try {
    await client.get(ref);
    return false;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return true;
    throw error;
  }
}

async function isServed(workspace: KubeClient): Promise<boolean> {
  try {
    await workspace.list({ cluster: undefined, gvr: loadKinds[0]!.gvr });
    return true;
  } catch (error) {
    if (isApiError(error, 'NotFound', 'Forbidden')) return false;
    throw error;
  }
}
