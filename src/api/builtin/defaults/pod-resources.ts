import type { JsonObject } from '#apimachinery/json.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  isQuantity,
  parseQuantity,
  type Quantity,
} from '#apimachinery/quantity.ts';
import { objectIn, objectOf, objectsIn } from './defaulting.ts';

/**
 * Resources of a pod as a whole (KEP-2837) that are given in part: limits of huge pages and requests come from its
 * containers, other requests from its limits (defaultHugePagePodLimits and defaultPodRequests of pkg/apis/core/v1). Of
 * Pods alone; templates stay as they are. In place.
 */
export function defaultPodResources(spec: JsonObject): void {
  const resources = objectOf(spec, 'resources');
  if (resources === undefined) return;
  const given = (part: string) => objectOf(resources, part) ?? {};
  if (isEmpty(given('limits')) && isEmpty(given('requests'))) return;
  for (const [name, amount] of sumOf(spec, 'limits')) {
    if (!isHugePages(name) || name in given('requests') || name in given('limits')) continue;
    objectIn(resources, 'limits')[name] = formatQuantity(amount);
  }
  const limits = given('limits');
  if (isEmpty(limits)) return;
  const requests: JsonObject = { ...given('requests') };
  for (const [name, amount] of sumOf(spec, 'requests')) {
    if (!(name in requests) && (name === 'cpu' || name === 'memory')) requests[name] = formatQuantity(amount);
  }
  for (const name in limits) {
    if (!(name in requests) && isPodResource(name)) requests[name] = limits[name];
  }
  if (!isEmpty(requests)) resources['requests'] = requests;
}

function isEmpty(list: JsonObject): boolean {
  for (const _ in list) return false;
  return true;
}

function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-');
}

function isPodResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || isHugePages(name);
}

/** What the containers need at the same time: all of them, or one of those that run before them and what stays. */
function sumOf(spec: JsonObject, part: 'limits' | 'requests'): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  const sidecars = new Map<string, Quantity>();
  for (const container of objectsIn(spec, 'containers')) addTo(total, listOf(container, part));
  for (const container of objectsIn(spec, 'initContainers')) {
    const list = listOf(container, part);
    if (container['restartPolicy'] === 'Always') {
      addTo(total, list);
      addTo(sidecars, list);
      raiseTo(peak, sidecars);
      continue;
    }
    const together = new Map(sidecars);
    addTo(together, list);
    raiseTo(peak, together);
  }
  raiseTo(total, peak);
  return total;
}

function listOf(container: JsonObject, part: string): Map<string, Quantity> {
  const list = objectOf(objectOf(container, 'resources'), part) ?? {};
  const amounts = new Map<string, Quantity>();
  for (const name in list) {
    const value = list[name];
    if ((typeof value === 'string' || typeof value === 'number') && isQuantity(value)) {
      amounts.set(name, parseQuantity(value));
    }
  }
  return amounts;
}

function addTo(sum: Map<string, Quantity>, list: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of list) {
    const before = sum.get(name);
    sum.set(name, before === undefined ? amount : addQuantity(before, amount));
  }
}

function raiseTo(peak: Map<string, Quantity>, list: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of list) {
    const before = peak.get(name);
    if (before === undefined || compareQuantity(amount, before) > 0) peak.set(name, amount);
  }
}
