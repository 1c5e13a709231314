import { podQos } from '#api/builtin/strategies/pod-qos.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { asList, asObject, asObjects, isJsonObject, type JsonObject, jsonText } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  type Quantity,
  quantityIn,
  quantityNumber,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import { isInert } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { pods } from './concerns.ts';

type ResourceList = { readonly [name: string]: Quantity };

/** One item of a LimitRange's `spec.limits`. */
interface Limit {
  readonly type: string;
  readonly max: ResourceList;
  readonly min: ResourceList;
  readonly default: ResourceList;
  readonly defaultRequest: ResourceList;
  readonly maxLimitRequestRatio: ResourceList;
}

/** Kubernetes' LimitRanger (A4): fills in what pods' containers leave open, and holds pods and claims to the bounds. */
export class LimitRanger implements AdmissionPlugin {
  readonly name = 'LimitRanger';
  readonly kinds = [pods, { group: '', resource: 'persistentvolumeclaims' }];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { definition } = context.served;
    if (definition.group !== '' || context.subresource !== '') return false;
    if (context.workspace === undefined || isInert(context.workspace, definition)) return false;
    if (definition.resource === 'pods') return operation === 'CREATE';
    return (
      definition.resource === 'persistentvolumeclaims' && (operation === 'CREATE' || operation === 'UPDATE')
    );
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined || context.served.definition.resource !== 'pods') return undefined;
    for (const limit of this.#limits(context)) {
      if (limit.type === 'Container') fillPod(object, limit);
    }
    return undefined;
  }

  validate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const isPod = context.served.definition.resource === 'pods';
    const errors: string[] = [];
    for (const limit of this.#limits(context)) {
      errors.push(...(isPod ? podErrors(object, limit) : claimErrors(object, limit)));
    }
    if (errors.length === 0) return undefined;
    const why = errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`;
    throw forbidden(context.served.definition, object.metadata.name ?? '', why);
  }

  *#limits({ workspace, namespace }: ResourceContext): Generator<Limit, void, undefined> {
    const prefix = rangePrefix({ group: '', resource: 'limitranges' }, workspace?.id, namespace);
    for (const entry of this.#storage.snapshot(prefix).entries()) {
      for (const limit of asList(asObject(objectOf(entry)['spec'])['limits'])) {
        if (isJsonObject(limit)) yield limitOf(limit);
      }
    }
  }
}

function limitOf(limit: JsonObject): Limit {
  return {
    type: String(limit['type']),
    max: resourcesAt(limit, 'max'),
    min: resourcesAt(limit, 'min'),
    default: resourcesAt(limit, 'default'),
    defaultRequest: resourcesAt(limit, 'defaultRequest'),
    maxLimitRequestRatio: resourcesAt(limit, 'maxLimitRequestRatio'),
  };
}

const annotation = 'kubernetes.io/limit-ranger';

/** Also says in an annotation what was filled in, and what quality of service comes of it (limitranger admission.go). */
function fillPod(pod: KubeObject, limit: Limit): void {
  const spec = asObject(pod['spec']);
  const filled = [
    ...asList(spec['containers']).flatMap((one) => (isJsonObject(one) ? fill(one, 'container', limit) : [])),
    ...asList(spec['initContainers']).flatMap((one) =>
      isJsonObject(one) ? fill(one, 'init container', limit) : [],
    ),
  ];
  if (filled.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${filled.join('; ')}`,
  };
  const { status } = pod;
  if (isJsonObject(status)) pod['status'] = { ...status, qosClass: podQos(pod) };
}

function fill(container: JsonObject, kind: string, limit: Limit): string[] {
  const resources: JsonObject = { ...asObject(container['resources']) };
  const limits: JsonObject = { ...asObject(resources['limits']) };
  const requests: JsonObject = { ...asObject(resources['requests']) };
  // What was given as a limit alone is its own request; what the range gives comes after that.
  for (const name in limits) requests[name] ??= limits[name];
  const setLimits = Object.keys(limit.default).filter((name) => limits[name] === undefined);
  const setRequests = Object.keys(limit.defaultRequest).filter((name) => requests[name] === undefined);
  for (const name of setLimits) limits[name] = formatQuantity(limit.default[name]!);
  for (const name of setRequests) requests[name] = formatQuantity(limit.defaultRequest[name]!);
  if (Object.keys(limits).length > 0) resources['limits'] = limits;
  if (Object.keys(requests).length > 0) resources['requests'] = requests;
  container['resources'] = resources;
  const told = (names: readonly string[], what: string): string[] =>
    names.length === 0
      ? []
      : [`${[...names].sort().join(', ')} ${what} for ${kind} ${jsonText(container['name'])}`];
  return [...told(setRequests, 'request'), ...told(setLimits, 'limit')];
}

function podErrors(pod: KubeObject, limit: Limit): string[] {
  if (limit.type === 'Container') {
    return containersOf(pod).flatMap((container) => {
      const resources = asObject(container['resources']);
      return boundErrors(
        'Container',
        resourcesAt(resources, 'requests'),
        resourcesAt(resources, 'limits'),
        limit,
      );
    });
  }
  if (limit.type !== 'Pod') return [];
  return boundErrors('Pod', podTotal(pod, 'requests'), podTotal(pod, 'limits'), limit);
}

function claimErrors(claim: KubeObject, limit: Limit): string[] {
  if (limit.type !== 'PersistentVolumeClaim') return [];
  const requests = resourcesAt(asObject(asObject(claim['spec'])['resources']), 'requests');
  return [
    ...Object.keys(limit.min).flatMap((name) =>
      minError(name, 'PersistentVolumeClaim', limit.min[name]!, requests, {}),
    ),
    ...Object.keys(limit.max).flatMap((name) => {
      const request = requests[name];
      if (request === undefined || compareQuantity(request, limit.max[name]!) <= 0) return [];
      return [
        `maximum ${name} usage per PersistentVolumeClaim is ${formatQuantity(limit.max[name]!)}, but request is ${formatQuantity(request)}`,
      ];
    }),
  ];
}

function boundErrors(type: string, requests: ResourceList, limits: ResourceList, limit: Limit): string[] {
  const errors: string[] = [];
  for (const name in limit.min) errors.push(...minError(name, type, limit.min[name]!, requests, limits));
  for (const name in limit.max) errors.push(...maxError(name, type, limit.max[name]!, requests, limits));
  for (const name in limit.maxLimitRequestRatio) {
    errors.push(...ratioError(name, type, limit.maxLimitRequestRatio[name]!, requests, limits));
  }
  return errors;
}

function minError(
  name: string,
  type: string,
  min: Quantity,
  requests: ResourceList,
  limits: ResourceList,
): string[] {
  const lead = `minimum ${name} usage per ${type} is ${formatQuantity(min)}`;
  const request = requests[name];
  if (request === undefined) return [`${lead}. No request is specified`];
  if (compareQuantity(request, min) < 0) return [`${lead}, but request is ${formatQuantity(request)}`];
  const limit = limits[name];
  if (limit !== undefined && compareQuantity(limit, min) < 0)
    return [`${lead}, but limit is ${formatQuantity(limit)}`];
  return [];
}

function maxError(
  name: string,
  type: string,
  max: Quantity,
  requests: ResourceList,
  limits: ResourceList,
): string[] {
  const lead = `maximum ${name} usage per ${type} is ${formatQuantity(max)}`;
  const limit = limits[name];
  if (limit === undefined) return [`${lead}. No limit is specified`];
  if (compareQuantity(limit, max) > 0) return [`${lead}, but limit is ${formatQuantity(limit)}`];
  const request = requests[name];
  if (request !== undefined && compareQuantity(request, max) > 0) {
    return [`${lead}, but request is ${formatQuantity(request)}`];
  }
  return [];
}

function ratioError(
  name: string,
  type: string,
  most: Quantity,
  requests: ResourceList,
  limits: ResourceList,
): string[] {
  const lead = `${name} max limit to request ratio per ${type} is ${formatQuantity(most)}`;
  const request = requests[name];
  const limit = limits[name];
  if (request === undefined || request.nano === 0n)
    return [`${lead}, but no request is specified or request is 0`];
  if (limit === undefined || limit.nano === 0n) return [`${lead}, but no limit is specified or limit is 0`];
  const ratio = quantityNumber(limit) / quantityNumber(request);
  return ratio > quantityNumber(most) ? [`${lead}, but provided ratio is ${ratio.toFixed(6)}`] : [];
}

/** Containers together, or the largest init container if that is more. */
function podTotal(pod: KubeObject, kind: 'requests' | 'limits'): ResourceList {
  const spec = asObject(pod['spec']);
  const total: { [name: string]: Quantity } = {};
  for (const container of asObjects(spec['containers'])) {
    const own = resourcesAt(asObject(container['resources']), kind);
    for (const name in own) total[name] = addQuantity(total[name] ?? zeroQuantity, own[name]!);
  }
  for (const container of asObjects(spec['initContainers'])) {
    const own = resourcesAt(asObject(container['resources']), kind);
    for (const name in own) {
      if (compareQuantity(own[name]!, total[name] ?? zeroQuantity) > 0) total[name] = own[name]!;
    }
  }
  return total;
}

function containersOf(pod: KubeObject): JsonObject[] {
  const spec = asObject(pod['spec']);
  return [...asList(spec['initContainers']), ...asList(spec['containers'])].filter(isJsonObject);
}

function resourcesAt(object: JsonObject, key: string): ResourceList {
  const found: { [name: string]: Quantity } = {};
  const list = asObject(object[key]);
  for (const name in list) {
    const amount = quantityIn(list[name]);
    if (amount !== undefined) found[name] = amount;
  }
  return found;
}
