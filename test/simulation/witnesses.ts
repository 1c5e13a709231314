import type { EdgeMeddler } from '../chaos/meddling.ts';
import { cellNames, tendedNamespace } from './cast.ts';
import { DecisionWitness } from './decision-witness.ts';
import { DeletionWitness } from './deletion-witness.ts';
import { LatenessWitness } from './lateness-witness.ts';
import { OrderWitness } from './order-witness.ts';
import { RolloutWitness } from './rollout-witness.ts';
import type { RunPlan } from './run-plan.ts';
import type { World } from './world/world.ts';

/** All that see each write in the moment in which it is committed. */
export class Witnesses {
  readonly #world: World;
  readonly #deletion: DeletionWitness;
  readonly #lateness = new LatenessWitness();
  readonly #order: OrderWitness | undefined;
  readonly #decision = new DecisionWitness();
  readonly #rollout: RolloutWitness | undefined;

  constructor(world: World, { traits }: RunPlan, meddlers: ReadonlyMap<string, EdgeMeddler>) {
    const { federation, edges } = world;
    this.#world = world;
    this.#deletion = new DeletionWitness({
      federation,
      edges,
      mayBeByHand: (cell, what) => meddlers.get(cell)?.mayHaveDeleted(what) ?? false,
    });
    const isStaged = traits.rollout !== undefined;
    this.#order = isStaged ? undefined : new OrderWitness();
    this.#rollout = isStaged
      ? new RolloutWitness({ federation, cells: cellNames, namespace: tendedNamespace })
      : undefined;
  }

  async start(): Promise<void> {
    const { federation, edges } = this.#world;
    await this.#deletion.start();
    await this.#lateness.start(edges);
    await this.#order?.start(federation);
    await this.#decision.start(federation);
    await this.#rollout?.start();
  }

  get violations(): readonly string[] {
    const { network, leases } = this.#world;
    return [
      ...this.#deletion.violations,
      ...this.#lateness.violations,
      ...(this.#order?.violations ?? []),
      ...this.#decision.violations,
      ...(this.#rollout?.violations ?? []),
      ...network.strayWrites.violations,
      ...(leases?.violations ?? []),
    ];
  }

  /** Changes that were seen to go from cell to cell. */
  get changesJudged(): number {
    return this.#rollout?.judged ?? 0;
  }

  /** A person lets happen what is held at the cell. */
  released(cell: string): void {
    this.#deletion.released(cell);
  }

  putBack: DeletionWitness['putBack'] = (cell, backup) => this.#deletion.putBack(cell, backup);

  /** Cells have other workspaces. */
  async rejoined(): Promise<void> {
    await this.#deletion.findCells();
    await this.#rollout?.findCells();
  }
}
