import type { CopyHealth } from '#api/work/resource-binding.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { type HealthTable, thirdPartyKind } from '../interpreter/third-party.ts';

const number = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);

function conditionStatus(status: JsonObject, type: string): string | undefined {
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] : [];
  for (const condition of conditions) {
    if (isJsonObject(condition) && condition['type'] === type) return String(condition['status']);
  }
  return undefined;
}

const is = (healthy: boolean): CopyHealth => (healthy ? 'Healthy' : 'Unhealthy');

type HealthRule = (status: JsonObject, replicas: number, spec: JsonObject) => CopyHealth;

const rolledOut =
  (ready: string): HealthRule =>
  (status, replicas) =>
    is(number(status['updatedReplicas']) >= replicas && number(status[ready]) >= replicas);

/** How each kind shows that it does what its spec asks for (PLACEMENT.md 1, InterpretHealth). */
const rules: { readonly [resource: string]: HealthRule | undefined } = {
  'deployments.apps': rolledOut('availableReplicas'),
  'statefulsets.apps': (status, replicas, spec) =>
    is(
      number(status['readyReplicas']) >= replicas &&
        number(status['updatedReplicas'] ?? replicas) >= updatedOf(replicas, spec),
    ),
  'replicasets.apps': (status, replicas) => is(number(status['availableReplicas']) >= replicas),
  'replicationcontrollers.': (status, replicas) => is(number(status['availableReplicas']) >= replicas),
  'daemonsets.apps': (status, _replicas, spec) => {
    const desired = number(status['desiredNumberScheduled']);
    return is(
      number(status['updatedNumberScheduled']) >= updatedOf(desired, spec) &&
        number(status['numberAvailable']) >= desired,
    );
  },
  'jobs.batch': (status) => is(conditionStatus(status, 'Failed') !== 'True'),
  'cronjobs.batch': () => 'Healthy',
  'services.': (status, _replicas, spec) => {
    if (spec['type'] !== 'LoadBalancer') return 'Healthy';
    return is(hasIngress(status));
  },
  'ingresses.networking.k8s.io': (status) => is(hasIngress(status)),
  'persistentvolumeclaims.': (status) => is(status['phase'] === 'Bound'),
  'pods.': (status) => {
    if (status['phase'] === 'Succeeded') return 'Healthy';
    return is(status['phase'] === 'Running' && conditionStatus(status, 'Ready') === 'True');
  },
  'poddisruptionbudgets.policy': (status) =>
    is(number(status['currentHealthy']) >= number(status['desiredHealthy'])),
};

/**
 * How many pods the edge brings to the newest revision by itself: with `OnDelete` none, with a partition those from its ordinal
 * on (what `kubectl rollout status` waits for).
 */
function updatedOf(pods: number, { updateStrategy }: JsonObject): number {
  if (!isJsonObject(updateStrategy)) return pods;
  if (updateStrategy['type'] === 'OnDelete') return 0;
  const { rollingUpdate } = updateStrategy;
  return isJsonObject(rollingUpdate) ? Math.max(0, pods - number(rollingUpdate['partition'])) : pods;
}

function hasIngress(status: JsonObject): boolean {
  const balancer = status['loadBalancer'];
  if (!isJsonObject(balancer) || !Array.isArray(balancer['ingress'])) return false;
  return balancer['ingress'].some((one) => isJsonObject(one) && Boolean(one['ip'] || one['hostname']));
}

/** What a table says of a custom kind; `Ready` and `Available` count as for any other where it says nothing. */
function byTable({ phase, atLeastReplicas, reaches, unless }: HealthTable): HealthRule {
  return (status, replicas) => {
    if (phase !== undefined) {
      let at: JsonValue | undefined = status;
      for (const key of phase.path.split('.')) at = isJsonObject(at) ? at[key] : undefined;
      const told = String(at);
      if (phase.well.includes(told)) return 'Healthy';
      if (phase.ill.includes(told)) return 'Unhealthy';
      if (atLeastReplicas === undefined) return 'Unknown';
    }
    if (atLeastReplicas !== undefined)
      return is(atLeastReplicas.every((field) => number(status[field]) >= replicas));
    if (reaches !== undefined)
      return is(reaches.every(([count, wanted]) => number(status[count]) >= number(status[wanted])));
    if (unless !== undefined) return is(conditionStatus(status, unless) !== 'True');
    return 'Healthy';
  };
}

/**
 * How a copy fares at its edge. `observed`: the status speaks of the copy as it is now. Without a rule: by the conditions
 * Ready or Available; a kind without either, and without any status, is Healthy once it is applied.
 */
export function healthOf(
  resource: string,
  copy: {
    /** What a rule of the project says; it comes before all others. */
    readonly told?: boolean | undefined;
    readonly applied: boolean;
    readonly observed: boolean;
    readonly hasStatus: boolean;
    readonly replicas: number | undefined;
    readonly spec: JsonObject;
    readonly status: JsonObject | undefined;
  },
): CopyHealth {
  if (!copy.applied) return 'Unknown';
  if (copy.told !== undefined) return is(copy.told);
  if (!copy.hasStatus) return 'Healthy';
  const table = thirdPartyKind(resource)?.health;
  const rule = Object.hasOwn(rules, resource) ? rules[resource] : table && byTable(table);
  if (copy.status === undefined || Object.keys(copy.status).length === 0) {
    return rule === undefined || resource === 'cronjobs.batch' ? 'Healthy' : 'Unknown';
  }
  if (!copy.observed) return 'Unknown';
  if (rule !== undefined) return rule(copy.status, copy.replicas ?? 0, copy.spec);
  const ready = conditionStatus(copy.status, 'Ready') ?? conditionStatus(copy.status, 'Available');
  return ready === undefined ? 'Healthy' : is(ready === 'True');
}
