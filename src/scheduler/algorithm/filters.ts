import { type CellSnapshot, toleratedUntilMs } from './cell.ts';
import type { FilterContext, FilterPlugin } from './filter-plugin.ts';
import { servesKind } from './served-kind.ts';
import { withinWindows } from './time-windows.ts';

/** Explicit rules of the platform: they hold for cells in use as well. */
const projectAdmission: FilterPlugin = {
  name: 'ProjectAdmission',
  filter: (cell, { input }) => (cell.admitsProject(input.project) ? undefined : 'ProjectNotAdmitted'),
};

const kindAllowance: FilterPlugin = {
  name: 'KindAllowance',
  concerns: ({ input: { template } }) => template.privileged,
  filter: (cell, { input: { template } }) =>
    template.privileged && !cell.allows(template.group, template.kind) ? 'KindNotAllowed' : undefined,
};

/**
 * A cell must serve the kind, or let projects bring its group. A cell that holds the template already stays: an edge that
 * for a moment tells less than it serves must not lose its work (PLACEMENT.md 1, Scheduler). A definition loses nothing
 * there: it is let in by the cell's rules alone.
 */
const apiEnablement: FilterPlugin = {
  name: 'APIEnablement',
  filter(cell, { input: { template }, held }) {
    if (template.custom && cell.bringsGroup(template.group)) return undefined;
    if (template.custom && template.kind === 'CustomResourceDefinition') return 'APINotServed';
    if (held.has(cell.name)) return undefined;
    if (cell.served === undefined) return template.custom ? 'APINotServed' : undefined;
    return servesKind(cell.served, template) ? undefined : 'APINotServed';
  },
};

/**
 * NoSchedule keeps new work away and leaves what is there; NoExecute evicts when it is not tolerated, or no longer
 * (Cell.spec.taints; drain sets one). PreferNoSchedule is for scoring.
 */
const taintToleration: FilterPlugin = {
  name: 'TaintToleration',
  filter(cell, context) {
    const held = context.held.has(cell.name);
    if (held && context.input.evictionHeld?.has(cell.name) === true) return undefined;
    for (const taint of cell.taints) {
      if (taint.effect !== 'NoExecute' && (taint.effect !== 'NoSchedule' || held)) continue;
      const until = toleratedUntilMs(context.placement.tolerations, taint);
      if (until === undefined || until <= context.input.nowMs) return 'TaintNotTolerated';
      if (until !== Number.POSITIVE_INFINITY) context.recheckAt(until);
    }
    return undefined;
  },
};

/** PLACEMENT.md 1, Scheduler: ClusterEviction. */
const eviction: FilterPlugin = {
  name: 'Eviction',
  concerns: ({ input: { evicted } }) => evicted !== undefined && evicted.size > 0,
  filter: (cell, { input }) => (input.evicted?.has(cell.name) === true ? 'Evicted' : undefined),
};

const cellHealth: FilterPlugin = {
  name: 'CellHealth',
  filter(cell, { held }) {
    if (cell.deleting) return 'CellDeleting';
    if (held.has(cell.name)) return undefined;
    if (cell.suspended) return 'CellSuspended';
    return cell.ready ? undefined : 'CellNotReady';
  },
};

/** PLACEMENT.md 1, workloadAffinity: hard, but what is placed stays; the first member of a group is free to go anywhere. */
const workloadAffinity: FilterPlugin = {
  name: 'WorkloadAffinity',
  concerns: ({ input: { peers } }) =>
    peers !== undefined && (peers.affinity !== undefined || peers.antiAffinity.size > 0),
  filter(cell, { input: { peers }, held }) {
    if (peers === undefined || held.has(cell.name)) return undefined;
    if (peers.affinity !== undefined && !peers.affinity.has(cell.name)) return 'WorkloadAffinity';
    return peers.antiAffinity.has(cell.name) ? 'WorkloadAntiAffinity' : undefined;
  },
};

/**
 * Follows the sun: outside the policy's `activeHours` a cell is left, as far as there is another (failover sees to that). In
 * its maintenance windows a cell gets no new work.
 */
const timeWindow: FilterPlugin = {
  name: 'TimeWindow',
  concerns: ({ input: { snapshot }, placement }) =>
    placement.activeHours.length > 0 || hasMaintenance(snapshot),
  filter(cell, context) {
    const { input, placement, held } = context;
    const zone = cell.timeZone ?? 'UTC';
    const isHeld = held.has(cell.name);
    if (cell.maintenance !== undefined && cell.maintenance.length > 0 && !isHeld) {
      const { within, changesAtMs } = withinWindows(cell.maintenance, zone, input.nowMs);
      if (within) {
        if (changesAtMs !== Number.POSITIVE_INFINITY) context.recheckAt(changesAtMs);
        return 'InMaintenance';
      }
    }
    if (placement.activeHours.length === 0) return undefined;
    const { within, changesAtMs } = withinWindows(placement.activeHours, zone, input.nowMs);
    if (changesAtMs !== Number.POSITIVE_INFINITY) context.recheckAt(changesAtMs);
    if (within || (isHeld && input.evictionHeld?.has(cell.name) === true)) return undefined;
    return 'OutsideHours';
  },
};

const maintained = new WeakMap<CellSnapshot, boolean>();

function hasMaintenance(snapshot: CellSnapshot): boolean {
  let some = maintained.get(snapshot);
  if (some === undefined) {
    some = snapshot.cells.some(({ maintenance = [] }) => maintenance.length > 0);
    maintained.set(snapshot, some);
  }
  return some;
}

/** In this order; the first refusal is the reason told. Affinity comes before them (see decide). */
const filterPlugins: readonly FilterPlugin[] = [
  projectAdmission,
  kindAllowance,
  cellHealth,
  apiEnablement,
  taintToleration,
  eviction,
  workloadAffinity,
  timeWindow,
];

/** Those that have a say in this decision. */
export function filtersFor(context: FilterContext): FilterPlugin[] {
  const disabled = context.input.profile?.disabledFilters;
  return filterPlugins.filter(
    ({ name, concerns }) => disabled?.has(name) !== true && (concerns === undefined || concerns(context)),
  );
}
