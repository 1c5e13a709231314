import type { Clock } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import type { Template } from '../algorithm/decision.ts';
import { isEstimated } from '../cells/cell-info.ts';
import type { CellStore } from '../cells/cell-store.ts';
import {
  dividesByRoom,
  estimatedCells,
  questionOf,
  unschedulableQuestion,
} from '../cells/estimate-question.ts';
import { Estimators } from '../cells/estimators.ts';
import { toldWithoutNode } from '../cells/without-node.ts';
import type { CopyIndex } from '../copies/copy-index.ts';
import { rememberedReplicas } from '../failover/health-memory.ts';
import type { KeyStates } from '../key-state.ts';
import type { Known } from '../known-object.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import { cellsDue, deschedulingLimits } from '../rescheduling/missing-replicas.ts';
import { rescheduleOf } from '../rescheduling/reschedule-of.ts';
import type { Profiles } from './profiles.ts';

export interface EdgeEstimatesDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly states: KeyStates;
}

/** By cell, how many replicas; of cells that were asked and answered. */
export type ToldReplicas = ReadonlyMap<string, number>;

/** What the cells' estimators say of an object, where its decision depends on that. */
export class EdgeEstimates {
  readonly #on: EdgeEstimatesDependencies;
  readonly #profiles: Profiles;
  readonly #estimators: Estimators;

  constructor(dependencies: EdgeEstimatesDependencies, profiles: Profiles) {
    this.#on = dependencies;
    this.#profiles = profiles;
    this.#estimators = new Estimators(dependencies.clock, dependencies.logger);
  }

  /** Less is under way there than was: what that became, the estimator has to say anew. */
  renew(cell: string): void {
    if (isEstimated(this.#on.cells.get(cell))) this.#estimators.renew(cell);
  }

  forget(cell: string): Promise<void> {
    return this.#estimators.forget(cell);
  }

  close(): Promise<void> {
    return this.#estimators.close();
  }

  /** How many replicas fit; asked only where room decides, of the cells that the policy may use. */
  async thatFit(
    { match, object }: Known,
    { request, replicas }: Template,
    signal: AbortSignal,
  ): Promise<ToldReplicas> {
    if (replicas === undefined || !dividesByRoom(match.policy.spec.placement)) return nothingTold;
    const { cells } = this.#on.cells.snapshot();
    if (!cells.some(({ estimator }) => estimator !== undefined)) return nothingTold;
    const asked = estimatedCells(cells, match.policy.spec.placement);
    if (asked.length === 0) return nothingTold;
    return this.#estimators.ask(asked, questionOf(object, match.resource, request), signal);
  }

  /** Where replicas did not run for too long: how many of them the edge has no node for, by its estimator or else its federator. */
  async withoutNode(
    key: ProjectObjectKey,
    { match, object, present }: Known,
    signal: AbortSignal,
  ): Promise<ToldReplicas> {
    const { spec } = match.policy;
    const { unschedulable } = rescheduleOf(spec, this.#profiles.of(spec.schedulerName));
    const failover = present?.status?.failover;
    if (unschedulable === undefined || !dividesByRoom(spec.placement)) return nothingTold;
    const limits = deschedulingLimits(unschedulable);
    const record = this.#on.states.get(key)?.replicas ?? rememberedReplicas(failover);
    const due = cellsDue(record, limits, this.#on.clock.now());
    if (due.size === 0) return nothingTold;
    const [copy] = this.#on.copies.ofOrigin(key).values();
    if (copy === undefined) return nothingTold;
    const ready = Array.from(due, (name) => this.#on.cells.info(name)).filter(
      (cell): cell is CellInfo => cell?.ready === true,
    );
    const told = toldWithoutNode(ready, object, copy);
    const asked = ready.filter(({ estimator }) => estimator !== undefined);
    if (asked.length === 0) return told;
    const question = unschedulableQuestion(object, copy, limits.afterMs);
    for (const [cell, replicas] of await this.#estimators.ask(asked, question, signal))
      told.set(cell, replicas);
    return told;
  }
}

const nothingTold: ToldReplicas = new Map();
