import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr, type Taint } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import {
  type ClusterTaintPolicy,
  clusterTaintPoliciesGvr,
  type MatchCondition,
} from '#api/policy/cluster-taint-policy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { compileAffinity } from '../algorithm/affinity.ts';
import { cellInfoOf } from './cell-info.ts';

/**
 * The taints that a cell is to have by these policies (policy.karmada.io ClusterTaintPolicy, PLACEMENT.md 1): those of a
 * policy are added while all its `addOnConditions` hold, and removed while all its `removeOnConditions` do; in between they
 * stay as they are. Of policies that disagree the last by name wins. Undefined when nothing changes.
 */
export function taintsAfter(
  cell: Cell,
  policies: readonly ClusterTaintPolicy[],
  now: string,
): Taint[] | undefined {
  const present = cell.spec?.taints ?? [];
  let taints = present;
  const info = cellInfoOf(cell, true);
  const ordered = [...policies].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  for (const { spec } of ordered) {
    if (spec.targetClusters !== undefined && !compileAffinity(spec.targetClusters)(info)) continue;
    const add = allHold(spec.addOnConditions, cell);
    const remove = !add && allHold(spec.removeOnConditions, cell);
    if (!add && !remove) continue;
    for (const { key, value = '', effect } of spec.taints) {
      const at = taints.findIndex((taint) => taint.key === key && taint.effect === effect);
      const before = taints[at];
      if (remove && before !== undefined) taints = taints.filter((_, i) => i !== at);
      if (!add || before?.value === value || (before !== undefined && value === '')) continue;
      const taint: Taint = {
        key,
        ...(value === '' ? {} : { value }),
        effect,
        timeAdded: before?.timeAdded ?? now,
      };
      taints = before === undefined ? [...taints, taint] : taints.map((one, i) => (i === at ? taint : one));
    }
  }
  return taints === present ? undefined : taints;
}

function allHold(wanted: readonly MatchCondition[] | undefined, { status }: Cell): boolean {
  if (wanted === undefined || wanted.length === 0) return false;
  return wanted.every(({ conditionType, operator, statusValues }) => {
    const condition = conditionOf(status?.conditions, conditionType);
    if (condition === undefined) return false;
    return statusValues.includes(condition.status) === (operator === 'In');
  });
}

export interface TaintPoliciesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cellOf: (name: string) => Cell | undefined;
  readonly cellNames: () => Iterable<string>;
  /** Asks for a look at a cell. */
  readonly look: (cell: string) => void;
}

/** Keeps the cells' taints as the ClusterTaintPolicies of `root:cells` have them. */
export class TaintPolicies {
  readonly #options: TaintPoliciesOptions;
  readonly #informer: Informer;

  constructor(options: TaintPoliciesOptions) {
    this.#options = options;
    const { client, clock, logger } = options;
    const collection = { cluster: cellsWorkspacePath, gvr: clusterTaintPoliciesGvr };
    this.#informer = new Informer({ client, clock, logger, collection });
    const lookAtAll = (): void => {
      for (const name of options.cellNames()) options.look(name);
    };
    this.#informer.addHandler({ onAdd: lookAtAll, onUpdate: lookAtAll, onDelete: () => {} });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** A cell changed. */
  onCell(name: string): void {
    if (!this.#informer.values().next().done) this.#options.look(name);
  }

  /** Throws Conflict when the cell changed meanwhile: it is looked at again. */
  async reconcile(name: string, signal: AbortSignal): Promise<undefined> {
    const { client, clock, cellOf } = this.#options;
    const cell = cellOf(name);
    if (cell === undefined || cell.metadata.deletionTimestamp !== undefined) return;
    const policies = [...this.#informer.values()] as ClusterTaintPolicy[];
    const taints = taintsAfter(cell, policies, nowTime(clock.now()));
    if (taints === undefined) return;
    const { resourceVersion = '' } = cell.metadata;
    const body = { metadata: { resourceVersion }, spec: { taints } };
    try {
      await client.patch(
        { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
        { type: 'merge', body },
        { signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}
