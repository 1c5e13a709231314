import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ProjectPlane } from '../chaos/compare.ts';
import { loadKinds } from '../chaos/kinds.ts';
import type { Weights } from '../chaos/policies.ts';
import type { Random } from '../harness/random.ts';
import type { World } from './world/world.ts';

export interface HoldingOptions {
  readonly world: World;
  readonly random: Random;
  readonly projects: readonly ProjectPlane[];
  /** Resolves when all planes agree, or it is told that they do not; lets happen what is held. */
  readonly agree: () => Promise<void>;
  readonly violation: (what: string) => void;
}

/** Within it all that may be deleted is, and what is held is told. */
const settledMs = 30_000;
/** Of a federator that is killed; its cells may be another's then, whose own count of deletions begins anew. */
const downMsMax = 20_000;
const budgetMax = 4;
const secondThoughtsMsMax = 3_000;
/** Among so many writes of a federator that lets go of something are some of each kind. */
const writesMax = 24;

/**
 * A cell loses more at once than its budget lets go: no more than that goes before a person has looked, whoever is killed
 * meanwhile.
 */
export async function exceedBudget({
  world,
  random,
  projects,
  agree,
  violation,
}: HoldingOptions): Promise<void> {
  const cells = [...world.edges.keys()];
  const cell = random.pick(cells);
  const other = random.pick(cells.filter((name) => name !== cell));
  const maxObjects = random.between(0, budgetMax);
  const policies = projects.map(({ policies: [policy] }) => policy as ProjectPlane['policies'][number]);
  const namespaces = new Set(policies.map(({ namespace }) => namespace));
  const before = policies.map(({ tracked }) => tracked.state ?? {});
  await setBudget(world, cell, { maxObjects, windowSeconds: 86_400 });
  await world.time.sleep(1_000);
  const standing = await standingAt(world, cell, namespaces);
  for (const policy of policies) await policy.set({ [other]: 1 });
  await world.time.sleep(settledMs);
  const left = await standingAt(world, cell, namespaces);
  const gone = standing.filter((name) => !left.includes(name));
  const allowed = Math.min(maxObjects, standing.length);
  if (gone.length > allowed || (gone.length < allowed && !world.bounded.has(cell))) {
    violation(
      `${cell}: ${gone.length} of ${standing.length} were deleted with a budget of ${maxObjects}: ${gone.join(', ')}`,
    );
  }
  const { status } = await readCell(world, cell);
  const held = conditionOf(status?.conditions, 'DeletionHeld');
  if (left.length > 0 && held?.status !== 'True')
    violation(`${cell}: ${left.length} are held, and nobody is told`);
  if (random.next() < 0.5) await restart(world, status?.assignment?.federator ?? '', random);
  const still = await standingAt(world, cell, namespaces);
  for (const name of left) {
    if (!still.includes(name)) violation(`${cell}: ${name} was held, and went when a federator came back`);
  }
  if (random.next() < 0.5)
    await wantAgain({ world, random, violation, cell, other, policies, before, namespaces });
  await agree();
  await setBudget(world, cell, null);
  for (const [at, policy] of policies.entries()) await policy.set(before[at] ?? {});
}

interface WantingOptions extends Pick<HoldingOptions, 'world' | 'random' | 'violation'> {
  readonly cell: string;
  readonly other: string;
  readonly policies: ProjectPlane['policies'];
  /** What each policy said before it gave the cell up. */
  readonly before: readonly Weights[];
  readonly namespaces: ReadonlySet<string>;
}

/** What is held is placed in the cell again: it stays as it stood, whoever is killed or late meanwhile, and nothing is held any more. */
async function wantAgain(options: WantingOptions): Promise<void> {
  const { world, random, violation, cell, other, policies, before, namespaces } = options;
  const held = await uidsAt(world, cell, namespaces);
  const placeAgain = async () => {
    for (const [at, policy] of policies.entries()) await policy.set(before[at] ?? {});
  };
  const hasSecondThoughts = random.next() < 0.3;
  if (hasSecondThoughts) {
    // A federator that has come since has a count of its own, and what is given up once more is not held yet.
    await setBudget(world, cell, { maxObjects: 0, windowSeconds: 86_400 });
    await world.time.sleep(1_000);
  }
  await whileHindered(world, cell, random, async () => {
    await placeAgain();
    if (!hasSecondThoughts) return;
    await world.time.sleep(random.next() * secondThoughtsMsMax);
    for (const policy of policies) await policy.set({ [other]: 1 });
    await world.time.sleep(random.next() * secondThoughtsMsMax);
    await placeAgain();
  });
  const kept = await uidsAt(world, cell, namespaces);
  for (const [name, uid] of held) {
    if (kept.get(name) !== uid) violation(`${cell}: ${name} was held and wanted again, and went`);
  }
  const { status: now } = await readCell(world, cell);
  if (conditionOf(now?.conditions, 'DeletionHeld')?.status === 'True')
    violation(`${cell}: what is wanted again is still held`);
}

/**
 * Does it, and waits until it is done at the cell's edge. Mostly the cell's federator dies around one of its next writes, or stands still
 * while another takes the cell over, and goes on.
 */
async function whileHindered(
  world: World,
  cell: string,
  random: Random,
  deed: () => Promise<void>,
): Promise<void> {
  const { status } = await readCell(world, cell);
  const part = world.part(status?.assignment?.federator ?? '');
  const { process } = part;
  const how = random.pick(['killed', 'paused', 'left alone'] as const);
  let isStruck = false;
  if (how !== 'left alone')
    process?.aimAtWrite(random.between(1, writesMax), random.pick(['before', 'after'] as const), () => {
      isStruck = true;
      if (how === 'killed') part.kill();
      else process.pause();
    });
  await deed();
  await world.time.sleep(settledMs);
  process?.forgetAim();
  if (isStruck) {
    if (how === 'killed') await part.start();
    else process?.wake();
  }
  await world.time.sleep(settledMs);
}

async function restart(world: World, name: string, random: Random): Promise<void> {
  const part = world.part(name);
  part.kill();
  await world.time.sleep(random.next() * downMsMax);
  await part.start();
  await world.time.sleep(settledMs);
}

async function setBudget(world: World, name: string, deletionBudget: JsonObject | null): Promise<void> {
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
  await world.federation.admin.patch(ref, { type: 'merge', body: { spec: { deletionBudget } } });
}

async function readCell(world: World, name: string): Promise<Cell> {
  return (await world.federation.admin.get({ cluster: cellsWorkspacePath, gvr: cellsGvr, name })) as Cell;
}

/** What a cell's edge has of these namespaces of projects. */
async function standingAt(world: World, cell: string, namespaces: ReadonlySet<string>): Promise<string[]> {
  return [...(await uidsAt(world, cell, namespaces)).keys()];
}

async function uidsAt(
  world: World,
  cell: string,
  namespaces: ReadonlySet<string>,
): Promise<Map<string, string | undefined>> {
  const look = world.lookAt(world.edge(cell));
  const lists = await Promise.all(
    loadKinds.map(({ gvr }) =>
      look.list({ cluster: undefined, gvr }, { labelSelector: copyLabels.originCluster }),
    ),
  );
  const isTheirs = ({ metadata: { annotations = {} } }: KubeObject): boolean =>
    namespaces.has(annotations[copyAnnotations.originNamespace] ?? '');
  return new Map(
    lists.flatMap(({ items }) =>
      items
        .filter(isTheirs)
        .map(
          ({ kind, metadata: { namespace, name, uid } }) => [`${kind} ${namespace}/${name}`, uid] as const,
        ),
    ),
  );
}
