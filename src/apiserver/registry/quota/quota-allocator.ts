import { forbidden } from '#apimachinery/api-error.ts';
import { asObject, equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityIn,
  subtractQuantity,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import type { Guard, Operation } from '#storage/storage.ts';
import type { Allocation, Allocator } from '../allocator.ts';
import { encodeStored } from '../encode-stored.ts';
import { objectOf, schemaMarkOf } from '../stored-object.ts';
import { keyOf, type Target } from '../target.ts';
import {
  concernsResource,
  countedResource,
  inScope,
  type ResourceName,
  type Usage,
  unspecified,
  usageOf,
} from './quota-usage.ts';

const quotas = { group: '', resource: 'resourcequotas' };
const quotasPrefix = rangePrefix(quotas);
/** Never counted: they come by themselves and go by themselves. */
const uncounted: ReadonlySet<string> = new Set(['/events', 'events.k8s.io/events']);

interface Quota {
  readonly entry: CacheEntry;
  readonly object: KubeObject;
  readonly hard: ReadonlyMap<string, Quantity>;
}

/**
 * ResourceQuota (A4). What is used is counted from the state itself whenever something is about to be added, so it
 * cannot drift; the new figures are written to the quota's status in the transaction that stores the object, under a
 * guard on the quota, so that two writers cannot both take the last place. A namespace without quotas costs one look at
 * an empty range.
 */
export class QuotaAllocator implements Allocator {
  handles(definition: ResourceDefinition): boolean {
    return definition.namespaced && !uncounted.has(`${definition.group}/${definition.resource}`);
  }

  prepareForUpdate(): void {}

  allocate({ storage, target, object, old }: Parameters<Allocator['allocate']>[0]): Allocation {
    const resource = resourceOf(target);
    if (resource.group === '' && resource.resource === quotas.resource) {
      return { object: withStatus(storage, target, object), guards: [], operations: [] };
    }
    const guards: Guard[] = [];
    const operations: Operation[] = [];
    for (const quota of quotasOf(storage, target)) {
      const delta = deltaOf(quota, resource, object, old);
      if (delta.size === 0) continue;
      checkSpecified(quota, resource, object, target);
      const used = this.#used(storage, target, quota, delta);
      checkLimits(quota, delta, used, target);
      const written = statusOperation(quota, used, delta, target);
      if (written === undefined) continue;
      guards.push({ key: quota.entry.key, revision: quota.entry.revision });
      operations.push(written);
    }
    return { object, guards, operations };
  }

  release(): readonly Operation[] {
    return [];
  }

  /** `request.object` is read only where there is a quota: it is parsed when asked for. */
  releaseGuarded(request: Parameters<Allocator['release']>[0]): {
    readonly guards: readonly Guard[];
    readonly operations: readonly Operation[];
  } {
    const { storage, target } = request;
    const resource = resourceOf(target);
    const guards: Guard[] = [];
    const operations: Operation[] = [];
    if (resource.group === '' && resource.resource === quotas.resource) return { guards, operations };
    for (const quota of quotasOf(storage, target)) {
      const delta = deltaOf(quota, resource, undefined, request.object);
      if (delta.size === 0) continue;
      const written = statusOperation(quota, this.#used(storage, target, quota, delta), delta, target);
      if (written === undefined) continue;
      guards.push({ key: quota.entry.key, revision: quota.entry.revision });
      operations.push(written);
    }
    return { guards, operations };
  }

  /** Counted now, for the names that change. */
  #used(storage: CachedStorage, target: Target, quota: Quota, delta: Usage): Map<string, Quantity> {
    return countUsage(storage, target, asObject(quota.object['spec']), [...delta.keys()]);
  }
}

function resourceOf(target: Target): ResourceName {
  return target.served.definition.storedAs;
}

function* quotasOf(
  storage: CachedStorage,
  { workspace, namespace }: Target,
): Generator<Quota, void, undefined> {
  // Mostly nobody has any.
  if (storage.snapshot(quotasPrefix).count() === 0) return;
  for (const entry of storage.snapshot(rangePrefix(quotas, workspace.id, namespace)).entries()) {
    const object = objectOf(entry);
    const hard = new Map<string, Quantity>();
    const limits = asObject(asObject(object['spec'])['hard']);
    for (const name in limits) {
      const limit = quantityIn(limits[name]);
      if (limit !== undefined) hard.set(name, limit);
    }
    yield { entry, object, hard };
  }
}

/** By how much the write changes what the quota limits; only names that change. */
function deltaOf(
  quota: Quota,
  resource: ResourceName,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): Map<string, Quantity> {
  const spec = asObject(quota.object['spec']);
  const after = object !== undefined && inScope(spec, object, resource) ? usageOf(object, resource) : noUsage;
  const before = old !== undefined && inScope(spec, old, resource) ? usageOf(old, resource) : noUsage;
  const delta = new Map<string, Quantity>();
  for (const name of quota.hard.keys()) {
    const change = subtractQuantity(after.get(name) ?? zeroQuantity, before.get(name) ?? zeroQuantity);
    if (change.nano !== 0n) delta.set(name, change);
  }
  return delta;
}

const noUsage: Usage = new Map();

/** What is used of these names in a namespace, by everything that is stored there. */
function countUsage(
  storage: CachedStorage,
  { workspace, namespace }: Target,
  quotaSpec: JsonObject,
  names: readonly string[],
): Map<string, Quantity> {
  const used = new Map<string, Quantity>();
  const isScoped = quotaSpec['scopes'] !== undefined || quotaSpec['scopeSelector'] !== undefined;
  const summed: string[] = [];
  for (const name of names) {
    const counted = countedResource(name);
    if (counted === undefined || isScoped) {
      summed.push(name);
      continue;
    }
    const definition = workspace.scheme.definitionOf(counted.group, counted.resource);
    const prefix = rangePrefix(definition?.storedAs ?? counted, workspace.id, namespace);
    used.set(name, parseQuantity(storage.snapshot(prefix).count()));
  }
  for (const resource of ['pods', 'services', 'persistentvolumeclaims']) {
    const stored = { group: '', resource };
    const wanted = summed.filter((name) => concernsResource(name, stored));
    if (wanted.length === 0) continue;
    for (const name of wanted) used.set(name, zeroQuantity);
    for (const entry of storage.snapshot(rangePrefix(stored, workspace.id, namespace)).entries()) {
      const object = objectOf(entry);
      if (!inScope(quotaSpec, object, stored)) continue;
      const usage = usageOf(object, stored);
      for (const name of wanted) {
        const own = usage.get(name);
        if (own !== undefined) used.set(name, addQuantity(used.get(name)!, own));
      }
    }
  }
  return used;
}

/** A pod must say how much it wants of what is limited: otherwise the limit would mean nothing. */
function checkSpecified(quota: Quota, resource: ResourceName, object: KubeObject, target: Target): void {
  if (resource.group !== '' || resource.resource !== 'pods') return;
  const missing = unspecified(object, [...quota.hard.keys()]);
  if (missing.size === 0) return;
  const list = [...missing].sort().map(([name, containers]) => `${name} for: ${containers.join(',')}`);
  throw forbidden(
    target.served.definition,
    target.name,
    `failed quota: ${quota.object.metadata.name}: must specify ${list.join('; ')}`,
  );
}

function checkLimits(quota: Quota, delta: Usage, used: ReadonlyMap<string, Quantity>, target: Target): void {
  const exceeded = [...delta]
    .filter(([name, change]) => {
      if (change.nano <= 0n) return false;
      return compareQuantity(addQuantity(used.get(name) ?? zeroQuantity, change), quota.hard.get(name)!) > 0;
    })
    .map(([name]) => name)
    .sort();
  if (exceeded.length === 0) return;
  const print = (values: ReadonlyMap<string, Quantity>) =>
    exceeded.map((name) => `${name}=${formatQuantity(values.get(name) ?? zeroQuantity)}`).join(',');
  throw forbidden(
    target.served.definition,
    target.name,
    `exceeded quota: ${quota.object.metadata.name}, requested: ${print(delta)}, used: ${print(used)}, limited: ${print(quota.hard)}`,
  );
}

/** The quota with its new figures; undefined when they are what it says already. */
function statusOperation(
  quota: Quota,
  used: ReadonlyMap<string, Quantity>,
  delta: Usage,
  target: Target,
): Operation | undefined {
  const status = asObject(quota.object['status']);
  const figures: JsonObject = { ...asObject(status['used']) };
  for (const [name, change] of delta) {
    figures[name] = formatQuantity(addQuantity(used.get(name) ?? zeroQuantity, change));
  }
  const hard = asObject(asObject(quota.object['spec'])['hard']);
  const next: JsonObject = { ...status, hard, used: figures };
  if (equalJson(next, status)) return undefined;
  const definition = target.workspace.scheme.definitionOf(quotas.group, quotas.resource);
  if (definition === undefined) return undefined;
  const value = encodeStored({ ...quota.object, status: next }, definition, schemaMarkOf(quota.entry));
  return { type: 'put', key: quota.entry.key, value };
}

/** A quota shows what is used as soon as it is stored. */
function withStatus(storage: CachedStorage, target: Target, object: KubeObject): KubeObject {
  const spec = asObject(object['spec']);
  const hard = asObject(spec['hard']);
  const used = countUsage(storage, target, spec, Object.keys(hard));
  // The quota itself may be among what is counted, and is not stored yet.
  const own = storage.peek(keyOf(target)) === undefined ? usageOf(object, quotas) : noUsage;
  const figures: JsonObject = {};
  for (const name in hard) {
    const total = addQuantity(used.get(name) ?? zeroQuantity, own.get(name) ?? zeroQuantity);
    figures[name] = formatQuantity(total);
  }
  return { ...object, status: { ...asObject(object['status']), hard, used: figures } };
}
