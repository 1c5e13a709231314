import { copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KeyValue } from '#storage/storage.ts';
import type { ProjectPlane } from '../chaos/compare.ts';
import { loadKinds, renderObject } from '../chaos/kinds.ts';
import type { LoadObject } from '../chaos/load.ts';
import { until } from '../harness/until.ts';
import { exceedBudget } from './held-back.ts';
import { outliveLease } from './lease-outlived.ts';
import { drainFederator, type LeavingOptions, orphanCell, takeOver, withdrawCell } from './leavings.ts';
import { loseControlPlanes, type Neighbour } from './neighbour.ts';
import { forgetCopies, leaveBehind, rewindEdge } from './put-backs.ts';
import type { Plane } from './world/plane.ts';
import type { World } from './world/world.ts';

/** What is done, when all is well again, for which chance would hardly ever meet the moment in a storm. */
const endings = {
  /** A namespace loses all of its copies in all cells but one; what is the edges' own in it stays. */
  'namespace emptied': 1,
  /** Objects are made anew, equal to what they were, while the scheduler sees nothing. */
  'replaced unseen': 1,
  /** The federation is put back to a moment in which objects had changed and their copies not yet; statuses have since. */
  'restored half-way': 1,
  /** An edge is put back to when it held what was withdrawn since, and is wanted again by copies not yet heard of. */
  'copies unheard': 1,
} as const;

/** And where schedulers work behind a lease. */
const outlivings = {
  /** Who leads stands still for longer than its lease, while objects change; somebody may stand by. */
  'leader stood still': 1,
  /** Who leads cannot renew its lease for longer than that, and works on until it is over. */
  'lease ran out': 1,
} as const;

/** And in wide runs. */
const leavings = {
  /** A cell leaves with everything that it had, and comes back. */
  'cell withdrawn': 1,
  /** A cell leaves, and what it had stays as it is until it comes back. */
  'cell orphaned': 1,
  /** Another Cell takes the edge over, and gives it back. */
  'claim taken over': 1,
  /** A federator is to have no cells while objects change. */
  'federator handed over': 1,
  /** More is to be deleted at an edge than its budget lets go before a person has looked. */
  'deletions held': 1,
  /** An edge's etcd is put back, revisions and all. */
  'edge rewound': 1,
  /** The federation is put back while nobody remembers the copies that came since. */
  'copies forgotten': 1,
  /** What is preserved outlives its object, and is the object's again when that is made anew. */
  'left behind': 1,
} as const;

/** And where there are two control planes. */
const losses = {
  /** One after the other dies, and what the other has flows on. */
  'control plane lost': 6,
} as const;

type Ending = keyof typeof endings | keyof typeof outlivings | keyof typeof leavings | keyof typeof losses;

export const endingNames: readonly string[] = [...Object.keys(endings), ...Object.keys(outlivings)];
export const leavingNames: readonly string[] = [...Object.keys(leavings), ...Object.keys(losses)];

const unseenMsMax = 120_000;
/** Within it a federator connects to an edge that was put back, and sweeps it. */
const unheardMs = 40_000;

export interface EndingOptions
  extends Pick<LeavingOptions, 'world' | 'random' | 'differences' | 'mayGo' | 'rejoined' | 'violation'> {
  readonly projects: readonly ProjectPlane[];
  readonly isWide: boolean;
  readonly neighbour: Neighbour | undefined;
  /** In what the first control plane alone differs now. */
  readonly firstDifferences: () => Promise<string[]>;
  /** Whether changes of the namespace's objects go from cell to cell, when they are healthy there. */
  readonly isStaged: (namespace: string) => boolean;
  /** What nobody may ever touch. */
  readonly pinned: ReadonlySet<LoadObject>;
  /** Resolves when all planes agree, or it is told that they do not. */
  readonly agree: () => Promise<void>;
  /** The edges' controllers tell that this share of the replicas is ready. */
  readonly writeStatuses: (share: number) => Promise<void>;
  /** The edge's objects stand since now, whatever happened to them before. */
  readonly putBack: (cell: string, backup: readonly KeyValue[]) => void;
  /** That server was put back to a backup: what was known of what it holds is asked for again. */
  readonly restored: (server: Plane) => Promise<void>;
}

/** Does one of the endings, and returns its name; all planes agree before, and are to agree again some time after. */
export async function doEnding(options: EndingOptions): Promise<string> {
  const { random, isWide, neighbour, world } = options;
  const { leases } = world;
  const ending = random.weighted({
    ...endings,
    ...(leases === undefined ? {} : outlivings),
    ...(isWide ? leavings : {}),
    ...(neighbour === undefined ? {} : losses),
  } as { readonly [ending in Ending]: number });
  const leaving: LeavingOptions = { ...options, change: (which) => changeAll(options, which) };
  switch (ending) {
    case 'namespace emptied':
      await emptyNamespace(options);
      break;
    case 'replaced unseen':
      await replaceUnseen(options);
      break;
    case 'restored half-way':
      await restoreHalfWay(options);
      break;
    case 'copies unheard':
      await leaveCopiesUnheard(options);
      break;
    case 'leader stood still':
    case 'lease ran out':
      if (leases !== undefined) {
        const how = ending === 'leader stood still' ? 'pause' : 'cut';
        await outliveLease({ world, random, leases, how, change: () => changeAll(options) });
      }
      break;
    case 'cell withdrawn':
      await withdrawCell(leaving);
      break;
    case 'cell orphaned':
      await orphanCell(leaving);
      break;
    case 'claim taken over':
      await takeOver(leaving);
      break;
    case 'federator handed over':
      await drainFederator(leaving);
      break;
    case 'deletions held':
      await exceedBudget(options);
      break;
    case 'control plane lost':
      if (neighbour !== undefined) {
        await loseControlPlanes({ ...options, neighbour, change: () => changeAll(options, 'unstaged') });
      }
      break;
    case 'edge rewound':
      await rewindEdge({ ...options, change: () => changeAll(options) });
      break;
    case 'copies forgotten':
      await forgetCopies({ ...options, change: () => changeAll(options) });
      break;
    case 'left behind':
      await leaveBehind({ ...options, change: () => changeAll(options) });
      break;
    default:
      return ending satisfies never;
  }
  return ending;
}

async function emptyNamespace({ world, random, projects, agree }: EndingOptions): Promise<void> {
  const policies = projects.map((project) => ({
    policy: project.policies[0] as ProjectPlane['policies'][number],
    cell: random.pick([...world.edges.keys()]),
  }));
  const before = policies.map(({ policy }) => policy.tracked.state);
  for (const { policy, cell } of policies) await policy.set({ [cell]: 1 });
  await agree();
  for (const [at, { policy }] of policies.entries()) await policy.set(before[at] ?? {});
}

async function replaceUnseen(options: EndingOptions): Promise<void> {
  const { agree } = options;
  const replaced = loose(options).filter(({ object }) => object.kind.scalable);
  // What is made anew for the second time is equal in its generation too.
  await unseen(options, async () => {
    for (const one of replaced) await makeAnew(one);
  });
  await agree();
  await unseen(options, async () => {
    for (const one of replaced) await makeAnew(one);
  });
}

async function restoreHalfWay(options: EndingOptions): Promise<void> {
  const { federation } = options.world;
  let backup: Awaited<ReturnType<Plane['backUp']>> = [];
  await unseen(options, async () => {
    await changeAll(options);
    backup = await federation.backUp();
  });
  await options.agree();
  await options.writeStatuses(0.5);
  await options.agree();
  await federation.restore(backup);
  await federation.start();
  await options.restored(federation);
}

async function changeAll(options: EndingOptions, which: 'all' | 'unstaged' = 'all'): Promise<void> {
  for (const { client, object } of loose(options)) {
    if (which === 'unstaged' && options.isStaged(object.namespace)) continue;
    const { kind, ref, tracked } = object;
    const { state } = tracked;
    if (state === undefined) continue;
    const next = { ...state, label: 'ending', replicas: kind.scalable ? state.replicas + 1 : 0 };
    const spec = kind.scalable ? { spec: { replicas: next.replicas } } : {};
    await tracked.write(next, () =>
      client.patch(ref, { type: 'merge', body: { metadata: { labels: { chaos: next.label } }, ...spec } }),
    );
  }
}

async function leaveCopiesUnheard(options: EndingOptions): Promise<void> {
  const { world, random, projects } = options;
  const { federation, network, time } = world;
  const cells = [...world.edges.keys()];
  const left = random.pick(cells);
  const other = random.pick(cells.filter((cell) => cell !== left));
  const edge = world.edge(left);
  const policies = projects.map(({ policies: [policy] }) => policy as ProjectPlane['policies'][number]);
  const before = policies.map(({ tracked }) => tracked.state ?? {});
  const copies = () => countCopies(world, left);
  const copiesBefore = await copies();
  const backup = await edge.backUp();
  for (const policy of policies) await policy.set({ [other]: 1 });
  await options.agree();
  for (const { name } of world.parts)
    network.hold(name, federation.name, world.schedulers.includes(name) ? 0 : unheardMs);
  for (const [at, policy] of policies.entries()) await policy.set(before[at] ?? {});
  await until('the copies are back', async () => (await copies()) >= copiesBefore, {
    timeoutMs: unheardMs / 2,
  });
  await edge.restore(backup);
  options.putBack(left, backup);
  await edge.start();
  await options.restored(edge);
  await time.sleep(unheardMs);
}

/** In the cell's workspace, of the kinds of the load. */
async function countCopies(world: World, cell: string): Promise<number> {
  const look = world.lookAt(world.federation, `${cellsWorkspacePath}:${cell}`);
  const lists = await Promise.all(
    loadKinds.map(({ gvr }) =>
      look.list({ cluster: undefined, gvr }, { labelSelector: copyLabels.originCluster }),
    ),
  );
  return lists.reduce((sum, { items }) => sum + items.length, 0);
}

interface LooseObject {
  readonly client: ProjectPlane['client'];
  readonly object: LoadObject;
}

function loose({ projects, pinned }: EndingOptions): LooseObject[] {
  return projects.flatMap(({ client, objects }) =>
    objects.filter((object) => !pinned.has(object)).map((object) => ({ client, object })),
  );
}

/** What the scheduler hears of it begins with what there is at its end. */
async function unseen({ world }: EndingOptions, act: () => Promise<void>): Promise<void> {
  const { network, schedulers, federation } = world;
  for (const name of schedulers) network.hold(name, federation.name, unseenMsMax);
  await act();
  for (const name of schedulers) {
    network.breakStreams(name, federation.name, 'expired');
    network.hold(name, federation.name, 0);
  }
}

async function makeAnew({ client, object }: LooseObject): Promise<void> {
  const { kind, namespace, name, ref, tracked } = object;
  const { state } = tracked;
  if (state === undefined) return;
  await tracked.write(undefined, () => client.delete(ref));
  await until(`${tracked.what} is gone`, () =>
    client.get(ref).then(
      () => false,
      (error: unknown) => isApiError(error, 'NotFound'),
    ),
  );
  await tracked.write(state, () => client.create(ref, renderObject(kind, namespace, name, state)));
}
