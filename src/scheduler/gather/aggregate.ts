import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { thirdPartyKind } from '../interpreter/third-party.ts';
import type { AggregationRule, CellStatus } from './aggregation-rule.ts';
import { mergeConditions } from './conditions.ts';

/** What a kind's own controller puts into its status, and how it adds up over cells (PLACEMENT.md 1, AggregateStatus). */
const rules: { readonly [resource: string]: AggregationRule | undefined } = {
  'deployments.apps': {
    sum: [
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
    ],
    conditions: true,
  },
  'statefulsets.apps': {
    sum: ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    same: ['currentRevision', 'updateRevision'],
    conditions: true,
  },
  'daemonsets.apps': {
    sum: [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
    ],
    conditions: true,
  },
  'replicasets.apps': {
    sum: ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'terminatingReplicas'],
    conditions: true,
  },
  'replicationcontrollers.': {
    sum: ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    conditions: true,
  },
  'jobs.batch': {
    sum: ['active', 'succeeded', 'failed', 'ready', 'terminating'],
    earliest: ['startTime'],
    latest: ['completionTime'],
    conditions: true,
  },
  'cronjobs.batch': { latest: ['lastScheduleTime', 'lastSuccessfulTime'], more: joinActive },
  'services.': { union: ['loadBalancer.ingress'], conditions: true },
  'ingresses.networking.k8s.io': { union: ['loadBalancer.ingress'] },
  'horizontalpodautoscalers.autoscaling': {
    sum: ['currentReplicas', 'desiredReplicas'],
    same: ['currentMetrics'],
    latest: ['lastScaleTime'],
    conditions: true,
  },
  'poddisruptionbudgets.policy': {
    sum: ['currentHealthy', 'desiredHealthy', 'disruptionsAllowed', 'expectedPods'],
    conditions: true,
    more: joinDisrupted,
  },
  'persistentvolumes.': {
    worst: {
      field: 'phase',
      order: ['Failed', 'Pending', 'Available', 'Bound', 'Released'],
      untold: 'Pending',
    },
    same: ['reason', 'message'],
    latest: ['lastPhaseTransitionTime'],
  },
  'persistentvolumeclaims.': {
    worst: { field: 'phase', order: ['Lost', 'Pending', 'Bound'], untold: 'Pending' },
    same: ['accessModes', 'capacity'],
    conditions: true,
  },
  'pods.': {
    worst: {
      field: 'phase',
      order: ['Failed', 'Unknown', 'Pending', 'Running', 'Succeeded'],
      untold: 'Pending',
    },
    earliest: ['startTime'],
    same: ['qosClass', 'reason', 'message', 'podIP', 'podIPs', 'hostIP', 'hostIPs', 'nominatedNodeName'],
    conditions: true,
    more: mergeContainers,
  },
  'gateways.gateway.networking.k8s.io': { union: ['addresses', 'listeners'], conditions: true },
  'httproutes.gateway.networking.k8s.io': { union: ['parents'] },
  'grpcroutes.gateway.networking.k8s.io': { union: ['parents'] },
  'tcproutes.gateway.networking.k8s.io': { union: ['parents'] },
  'tlsroutes.gateway.networking.k8s.io': { union: ['parents'] },
  'udproutes.gateway.networking.k8s.io': { union: ['parents'] },
};

/** Fields whose value is the business of `observedGeneration`'s own rule. */
const observed = 'observedGeneration';

/**
 * One status for all cells, without observedGeneration. By the kind's rule, else: from one cell as it is; from several
 * what all agree on, and the conditions. `silent`: cells that are to have the object and say nothing yet; what has to hold
 * everywhere does not before they do. Undefined when there is nothing to say. Deterministic in the order of `cells`.
 */
export function aggregateStatus(
  resource: string,
  cells: readonly CellStatus[],
  now: string,
  silent: readonly string[] = [],
): JsonObject | undefined {
  if (cells.length === 0) return undefined;
  const rule = Object.hasOwn(rules, resource) ? rules[resource] : thirdPartyKind(resource)?.status;
  const all: Gathered = { resource, cells, silent, now };
  const merged = rule === undefined ? mergeGenerically(all) : mergeByRule(rule, all);
  return Object.keys(merged).length === 0 ? undefined : merged;
}

interface Gathered {
  readonly resource: string;
  readonly cells: readonly CellStatus[];
  readonly silent: readonly string[];
  readonly now: string;
}

function mergeByRule(rule: AggregationRule, all: Gathered): JsonObject {
  const { cells, silent } = all;
  const merged: JsonObject = {};
  for (const field of rule.sum ?? []) {
    const numbers = cells.map(({ status }) => status[field]).filter((value) => typeof value === 'number');
    if (numbers.length > 0) merged[field] = numbers.reduce((a, b) => a + b, 0);
  }
  for (const field of rule.same ?? []) keepSame(merged, field, cells);
  for (const field of rule.latest ?? []) {
    const times = timesOf(cells, field);
    // A set of Jobs is complete when all are.
    const needsAll = field === 'completionTime';
    if (times.length > 0 && (!needsAll || times.length === cells.length + silent.length))
      merged[field] = times.at(-1) as string;
  }
  for (const field of rule.earliest ?? []) {
    const [first] = timesOf(cells, field);
    if (first !== undefined) merged[field] = first;
  }
  for (const path of rule.union ?? []) joinLists(merged, path, cells);
  if (rule.worst !== undefined) {
    const { field, order, untold } = rule.worst;
    const values = new Set(cells.map(({ status }) => status[field]));
    if (silent.length > 0 && untold !== undefined) values.add(untold);
    const worst = order.find((value) => values.has(value));
    if (worst !== undefined) merged[field] = worst;
  }
  if (rule.conditions === true) addConditions(merged, all);
  rule.more?.(merged, cells);
  return merged;
}

function timesOf(cells: readonly CellStatus[], field: string): string[] {
  return cells
    .map(({ status }) => status[field])
    .filter((value) => typeof value === 'string')
    .sort();
}

function keepSame(merged: JsonObject, field: string, cells: readonly CellStatus[]): void {
  const value = cells[0]?.status[field];
  if (value !== undefined && cells.every(({ status }) => equalJson(status[field], value)))
    merged[field] = value;
}

function joinLists(merged: JsonObject, path: string, cells: readonly CellStatus[]): void {
  const keys = path.split('.');
  const joined: JsonValue[] = [];
  let present = false;
  for (const { status } of cells) {
    let value: JsonValue | undefined = status;
    for (const key of keys) value = isJsonObject(value) ? value[key] : undefined;
    if (!Array.isArray(value)) continue;
    present = true;
    for (const item of value) if (!joined.some((one) => equalJson(one, item))) joined.push(item);
  }
  if (!present) return;
  let at = merged;
  for (const key of keys.slice(0, -1)) {
    const next = isJsonObject(at[key]) ? at[key] : {};
    at[key] = next;
    at = next;
  }
  at[keys.at(-1) as string] = joined;
}

/** A Job that is not complete everywhere is not complete, though every cell that says something says so. */
function addConditions(merged: JsonObject, { resource, cells, silent, now }: Gathered): void {
  let conditions = mergeConditions(
    cells.map(({ cell, status }) => ({ cell, conditions: status['conditions'] })),
    now,
    silent,
  );
  if (resource === 'jobs.batch') {
    conditions = conditions.filter(({ type }) => {
      if (type !== 'Complete' && type !== 'SuccessCriteriaMet') return true;
      if (silent.length > 0) return false;
      return cells.every(({ status }) => {
        const list = Array.isArray(status['conditions']) ? status['conditions'] : [];
        return list.some((one) => isJsonObject(one) && one['type'] === type && one['status'] === 'True');
      });
    });
  }
  if (conditions.length > 0) merged['conditions'] = conditions;
}

function mergeGenerically(all: Gathered): JsonObject {
  const { cells } = all;
  const merged: JsonObject = {};
  const [first] = cells;
  if (first === undefined) return merged;
  for (const field in first.status)
    if (field !== observed && field !== 'conditions') keepSame(merged, field, cells);
  addConditions(merged, all);
  return merged;
}

/** The Jobs that run in all cells. Which namespace that is there is no business of the project's. */
function joinActive(merged: JsonObject, cells: readonly CellStatus[]): void {
  const active = cells.flatMap(({ status }) => (Array.isArray(status['active']) ? status['active'] : []));
  if (active.length === 0) return;
  merged['active'] = active.filter(isJsonObject).map(({ namespace: _mapped, ...job }) => job);
}

/** Pods by cell: those of one name in two cells are two. */
function joinDisrupted(merged: JsonObject, cells: readonly CellStatus[]): void {
  const disrupted = cells.flatMap(({ cell, status }) => {
    const pods = isJsonObject(status['disruptedPods']) ? status['disruptedPods'] : {};
    return Object.entries(pods).map(([pod, time]) => [`${cell}/${pod}`, time] as const);
  });
  if (disrupted.length > 0) merged['disruptedPods'] = Object.fromEntries(disrupted);
}

/** A container is as ready as in the cell where it is least so; its restarts add up. */
function mergeContainers(merged: JsonObject, cells: readonly CellStatus[]): void {
  for (const field of ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses']) {
    const byName = new Map<JsonValue | undefined, JsonObject[]>();
    for (const { status } of cells) {
      const list = Array.isArray(status[field]) ? status[field] : [];
      for (const one of list.filter(isJsonObject)) {
        const same = byName.get(one['name']);
        if (same === undefined) byName.set(one['name'], [one]);
        else same.push(one);
      }
    }
    if (byName.size === 0) continue;
    merged[field] = Array.from(byName.values(), (list) => {
      const worst = list.find(({ ready }) => ready !== true) ?? list[0];
      const restarts = list.map(({ restartCount }) => (typeof restartCount === 'number' ? restartCount : 0));
      return { ...worst, restartCount: restarts.reduce((a, b) => a + b, 0) };
    });
  }
}
