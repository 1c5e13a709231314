import { podResources } from '#api/builtin/pod-resources.ts';
import { podQos } from '#api/builtin/strategies/pod-qos.ts';
import { asList, asObject, asObjects, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { parseQuantity, type Quantity, quantityIn, zeroQuantity } from '#apimachinery/quantity.ts';

/** What an object uses of the things that quotas limit, by their names. */
export type Usage = ReadonlyMap<string, Quantity>;

export interface ResourceName {
  readonly group: string;
  readonly resource: string;
}

const one = parseQuantity('1');

/** Counted under their bare name as well as under `count/…` (Kubernetes' ResourceQuota). */
const bareCounts: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
]);

/** `count/deployments.apps`, `count/pods`. */
export function countName({ group, resource }: ResourceName): string {
  return group === '' ? `count/${resource}` : `count/${resource}.${group}`;
}

/** The resource that a name of a quota counts; undefined for names that are no plain count. */
export function countedResource(name: string): ResourceName | undefined {
  if (bareCounts.has(name) && name !== 'pods') return { group: '', resource: name };
  if (!name.startsWith('count/')) return undefined;
  const rest = name.slice('count/'.length);
  const dot = rest.indexOf('.');
  return dot < 0
    ? { group: '', resource: rest }
    : { group: rest.slice(dot + 1), resource: rest.slice(0, dot) };
}

/** Whether a quota's name says anything about objects of this resource. */
export function concernsResource(name: string, { group, resource }: ResourceName): boolean {
  const counted = countedResource(name);
  if (counted !== undefined) return counted.group === group && counted.resource === resource;
  if (group !== '') return false;
  if (resource === 'services') return name === 'services.nodeports' || name === 'services.loadbalancers';
  if (resource === 'persistentvolumeclaims') {
    return name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/');
  }
  if (resource !== 'pods') return false;
  return (
    name === 'pods' ||
    computeNames.has(name) ||
    (/^(requests|limits)\./.test(name) && name !== 'requests.storage')
  );
}

const computeNames: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** What one object uses. */
export function usageOf(object: KubeObject, resource: ResourceName): Usage {
  const usage = new Map<string, Quantity>([[countName(resource), one]]);
  if (resource.group !== '') return usage;
  if (bareCounts.has(resource.resource) && resource.resource !== 'pods') usage.set(resource.resource, one);
  switch (resource.resource) {
    case 'pods':
      addPod(object, usage);
      break;
    case 'services':
      addService(object, usage);
      break;
    case 'persistentvolumeclaims':
      addClaim(object, usage);
      break;
    default:
  }
  return usage;
}

function addService(object: KubeObject, usage: Map<string, Quantity>): void {
  const spec = asObject(object['spec']);
  const ports = asList(spec['ports']).length;
  if (spec['type'] === 'LoadBalancer') usage.set('services.loadbalancers', one);
  const allocates = spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false;
  if (spec['type'] === 'NodePort' || allocates) usage.set('services.nodeports', parseQuantity(ports));
}

function addClaim(object: KubeObject, usage: Map<string, Quantity>): void {
  const spec = asObject(object['spec']);
  const storage = quantityAt(asObject(asObject(spec['resources'])['requests']), 'storage');
  usage.set('requests.storage', storage);
  const storageClass = spec['storageClassName'];
  if (typeof storageClass !== 'string' || storageClass === '') return;
  const prefix = `${storageClass}.storageclass.storage.k8s.io/`;
  usage.set(`${prefix}requests.storage`, storage);
  usage.set(`${prefix}persistentvolumeclaims`, one);
}

/** A pod that has ended uses nothing but its place among the objects. */
function addPod(object: KubeObject, usage: Map<string, Quantity>): void {
  const { phase } = asObject(object['status']);
  if (phase === 'Succeeded' || phase === 'Failed') return;
  usage.set('pods', one);
  for (const kind of ['requests', 'limits'] as const) {
    for (const [name, quantity] of podResources(asObject(object['spec']), kind)) {
      usage.set(`${kind}.${name}`, quantity);
      if (kind === 'requests' && computeNames.has(name)) usage.set(name, quantity);
    }
  }
}

/** Containers of a pod that leave open what a quota limits, by name: `requests.cpu` → [c]. */
export function unspecified(pod: KubeObject, names: readonly string[]): Map<string, string[]> {
  const missing = new Map<string, string[]>();
  const spec = asObject(pod['spec']);
  const containers = [...asList(spec['containers']), ...asList(spec['initContainers'])].filter(isJsonObject);
  for (const name of names) {
    const match = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(name);
    if (match === null) continue;
    const kind = match[1] ?? 'requests';
    const without = containers.filter(
      (container) => asObject(asObject(container['resources'])[kind])[match[2]!] === undefined,
    );
    if (without.length > 0)
      missing.set(
        name,
        without.map((container) => String(container['name'])),
      );
  }
  return missing;
}

/** Whether a quota with these scopes counts an object; scopes speak of pods, and of claims not at all. */
export function inScope(quotaSpec: JsonObject, object: KubeObject, resource: ResourceName): boolean {
  const scopes = asList(quotaSpec['scopes']).filter((scope) => typeof scope === 'string');
  const expressions = asObjects(asObject(quotaSpec['scopeSelector'])['matchExpressions']);
  if (scopes.length === 0 && expressions.length === 0) return true;
  if (resource.group !== '' || resource.resource !== 'pods') return false;
  return (
    scopes.every((scope) => podInScope(scope, object)) &&
    expressions.every((expression) => matchesExpression(expression, object))
  );
}

function podInScope(scope: string, pod: KubeObject): boolean {
  const spec = asObject(pod['spec']);
  switch (scope) {
    case 'Terminating':
      return typeof spec['activeDeadlineSeconds'] === 'number';
    case 'NotTerminating':
      return typeof spec['activeDeadlineSeconds'] !== 'number';
    case 'BestEffort':
      return podQos(pod) === 'BestEffort';
    case 'NotBestEffort':
      return podQos(pod) !== 'BestEffort';
    case 'PriorityClass':
      return typeof spec['priorityClassName'] === 'string' && spec['priorityClassName'] !== '';
    case 'CrossNamespacePodAffinity':
      return hasCrossNamespaceAffinity(spec);
    default:
      return false;
  }
}

function matchesExpression(expression: JsonObject, pod: KubeObject): boolean {
  const { scopeName, operator } = expression;
  if (scopeName !== 'PriorityClass')
    return podInScope(String(scopeName), pod) === (operator !== 'DoesNotExist');
  const priorityClass = asObject(pod['spec'])['priorityClassName'];
  const name = typeof priorityClass === 'string' ? priorityClass : '';
  const values = asList(expression['values']);
  switch (operator) {
    case 'In':
      return values.includes(name);
    case 'NotIn':
      return !values.includes(name);
    case 'Exists':
      return name !== '';
    default:
      return name === '';
  }
}

function hasCrossNamespaceAffinity(spec: JsonObject): boolean {
  const affinity = asObject(spec['affinity']);
  return ['podAffinity', 'podAntiAffinity'].some((kind) => {
    const rules = asObject(affinity[kind]);
    const preferred = asObjects(rules['preferredDuringSchedulingIgnoredDuringExecution']).map((one_) =>
      asObject(one_['podAffinityTerm']),
    );
    const required = asObjects(rules['requiredDuringSchedulingIgnoredDuringExecution']);
    return [...preferred, ...required].some(
      (term) => asList(term['namespaces']).length > 0 || isJsonObject(term['namespaceSelector']),
    );
  });
}

function quantityAt(object: JsonObject, key: string): Quantity {
  return quantityIn(object[key]) ?? zeroQuantity;
}
