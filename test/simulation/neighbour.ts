import { cellsWorkspacePath } from '#api/federation/group.ts';
import { type CellPlane, differences, type ProjectPlane } from '../chaos/compare.ts';
import { Ledger } from '../chaos/ledger.ts';
import { loadObjects, runLoad, settle } from '../chaos/load.ts';
import { loadPolicy } from '../chaos/policies.ts';
import type { Random } from '../harness/random.ts';
import { DeletionWitness } from './deletion-witness.ts';
import type { Plane } from './world/plane.ts';
import type { NeighbouringPlane, World } from './world/world.ts';

const path = 'root:next';
const namespace = 'one';
const objectsPerKind = 1;
const writePauseMs = 400;
/** In which a change reaches its edge, whatever has become of the other control plane. */
const flowMsMax = 15_000;
const flowLookMs = 500;

/**
 * A second control plane beside the first, with a cell of its own: the same scheduler and the same federators serve both. Its
 * project is written to while everything is struck, and its edge is to hold in the end what its bindings say.
 */
export class Neighbour {
  readonly ledger = new Ledger();
  readonly #world: World;
  readonly #plane: NeighbouringPlane;
  readonly #project: ProjectPlane;
  readonly #witness: DeletionWitness;

  constructor(world: World, plane: NeighbouringPlane) {
    this.#world = world;
    this.#plane = plane;
    const client = world.peopleAt(plane.federation, path);
    this.#project = {
      path,
      client,
      objects: loadObjects(client, this.ledger, 'next', [namespace], 0, objectsPerKind),
      policies: [loadPolicy(client, this.ledger, 'next', namespace)],
    };
    this.#witness = new DeletionWitness({
      federation: plane.federation,
      edges: new Map([[plane.cell, plane.edge]]),
      mayBeByHand: () => false,
    });
  }

  static readonly projects: readonly string[] = [path];
  static readonly namespaces: readonly string[] = [namespace];

  /** Of its API server. */
  get server(): string {
    return this.#plane.federation.name;
  }

  get violations(): readonly string[] {
    return [...this.ledger.violations, ...this.#witness.violations];
  }

  async prepare(): Promise<void> {
    for (const policy of this.#project.policies) await policy.set({ [this.#plane.cell]: 1 });
    await this.#witness.start();
  }

  run(random: Random, signal: AbortSignal): Promise<void> {
    return runLoad(this.#project.client, this.#project.objects, random, signal, writePauseMs);
  }

  /** What the project holds, where that was not told or a restore has made it uncertain; every object has replicas then. */
  async know(): Promise<void> {
    const never = new AbortController().signal;
    for (const { tracked } of this.#project.objects) await settle(tracked, never);
    for (const { tracked } of this.#project.policies) {
      while (!tracked.isCertain && !(await tracked.resolve())) await this.#world.time.sleep(100);
    }
    for (const policy of this.#project.policies) await policy.set({ [this.#plane.cell]: 1 });
    for (const { kind, ref, tracked } of this.#project.objects) {
      const { state } = tracked;
      if (!kind.scalable || state === undefined || state.replicas > 0) continue;
      await tracked.write({ ...state, replicas: 5 }, () =>
        this.#project.client.patch(ref, { type: 'merge', body: { spec: { replicas: 5 } } }),
      );
    }
  }

  /** The store of its API server was put back to a backup. */
  restored(): void {
    this.ledger.restored();
  }

  /** A person lets happen what is held at the cell. */
  released(cell: string): void {
    this.#witness.released(cell);
  }

  differences(): Promise<string[]> {
    const { project, cell } = this.planes;
    return differences([project], [cell]);
  }

  get planes(): { readonly project: ProjectPlane; readonly cell: CellPlane } {
    const { federation, cell, edge } = this.#plane;
    return {
      project: { ...this.#project, client: this.#world.lookAt(federation, path) },
      cell: {
        name: cell,
        cellClient: this.#world.lookAt(federation, `${cellsWorkspacePath}:${cell}`),
        edgeClient: this.#world.lookAt(edge),
      },
    };
  }

  /** Writes to every object; what was written is at the edge soon. Returns what is not. */
  async flow(): Promise<string[]> {
    for (const { kind, ref, tracked } of this.#project.objects) {
      const { state } = tracked;
      if (state === undefined) continue;
      const next = {
        ...state,
        label: `${state.label}-flows`,
        replicas: kind.scalable ? state.replicas + 1 : 0,
      };
      const spec = kind.scalable ? { spec: { replicas: next.replicas } } : {};
      await tracked.write(next, () =>
        this.#project.client.patch(ref, {
          type: 'merge',
          body: { metadata: { labels: { chaos: next.label } }, ...spec },
        }),
      );
    }
    return withinFlow(this.#world, () => this.differences());
  }
}

/** What is left to be done after the time in which a change reaches its edge. */
export async function withinFlow(world: World, look: () => Promise<string[]>): Promise<string[]> {
  const endMs = world.time.nowMs + flowMsMax;
  for (;;) {
    const found = await look();
    if (found.length === 0 || world.time.nowMs > endMs) return found;
    await world.time.sleep(flowLookMs);
  }
}

export interface LossOptions {
  readonly world: World;
  readonly neighbour: Neighbour;
  readonly random: Random;
  /** Changes every object of the first control plane that goes to all cells at once. */
  readonly change: () => Promise<void>;
  /** In what the first control plane differs from its edges. */
  readonly firstDifferences: () => Promise<string[]>;
  readonly restored: (server: Plane) => Promise<void>;
  readonly agree: () => Promise<void>;
  readonly violation: (what: string) => void;
}

/** One control plane dies and is put back to a backup, then the other: what the other one has flows on meanwhile. */
export async function loseControlPlanes(options: LossOptions): Promise<void> {
  const { world, neighbour, random, change, firstDifferences, restored, agree, violation } = options;
  const { federation } = world;
  const other = world.neighbour?.federation;
  if (other === undefined) return;
  const backup = await federation.backUp();
  federation.kill();
  for (const what of await neighbour.flow()) violation(`while ${federation.name} was down: ${what}`);
  const isPutBack = random.next() < 0.5;
  if (isPutBack) await federation.restore(backup);
  else await restartComponents(world);
  for (const what of await neighbour.flow()) violation(`${federation.name} still down: ${what}`);
  await federation.start();
  if (isPutBack) await restored(federation);
  await agree();
  const backupOfOther = await other.backUp();
  other.kill();
  await change();
  for (const what of await withinFlow(world, firstDifferences))
    violation(`while ${other.name} was down: ${what}`);
  if (random.next() < 0.5) {
    await other.restore(backupOfOther);
    neighbour.restored();
  }
  await other.start();
  await neighbour.know();
}

/** They begin while one of the two cannot be reached. */
async function restartComponents(world: World): Promise<void> {
  for (const part of world.parts) {
    if (!/^(scheduler|federator)/.test(part.name)) continue;
    part.kill();
    await part.start();
  }
}
