import type { JsonObject } from '#apimachinery/json.ts';
import {
  addQuantity,
  compareQuantity,
  type Quantity,
  quantityIn,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import { objectAt, objectsAt } from './read.ts';

/**
 * What a pod of this spec asks for (`requests`) or may take (`limits`) at most at any time, by resource: what the pod as a whole
 * is given takes the place of its containers' sum (KEP-2837); its overhead comes on top (k8s.io/component-helpers/resource,
 * PodRequests and PodLimits). What is no quantity counts for nothing.
 */
export function podResources(spec: JsonObject, kind: 'requests' | 'limits'): Map<string, Quantity> {
  const total = containerResources(spec, kind);
  for (const [name, quantity] of quantitiesAt(spec, kind)) {
    if (isPodResource(name)) total.set(name, quantity);
  }
  const overhead = objectAt(spec, 'overhead');
  for (const name in overhead) {
    // A limit that nobody set is none: overhead alone does not make one.
    if (kind === 'limits' && (total.get(name) ?? zeroQuantity).nano === 0n) continue;
    addTo(total, name, quantityIn(overhead[name]) ?? zeroQuantity);
  }
  return total;
}

/**
 * The same of its containers alone: they run together, init containers one after the other before them, restartable ones stay
 * (KEP-753; AggregateContainerRequests and AggregateContainerLimits).
 */
export function containerResources(spec: JsonObject, kind: 'requests' | 'limits'): Map<string, Quantity> {
  return sumOverContainers(spec, (container) => quantitiesAt(container, kind));
}

/** `containerResources`, of amounts that the caller takes from a container. */
export function sumOverContainers(
  spec: JsonObject,
  amountsOf: (container: JsonObject) => ReadonlyMap<string, Quantity>,
): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  for (const container of objectsAt(spec, 'containers')) addAll(total, amountsOf(container));
  const earlier = objectsAt(spec, 'initContainers');
  if (earlier.length === 0) return total;
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const container of earlier) {
    const own = amountsOf(container);
    if (container['restartPolicy'] === 'Always') {
      addAll(sidecars, own);
      addAll(total, own);
      raise(peak, sidecars);
    } else {
      const together = new Map(sidecars);
      addAll(together, own);
      raise(peak, together);
    }
  }
  raise(total, peak);
  return total;
}

/** Of these alone may a pod as a whole be given something (component-helpers, supportedPodLevelResources). */
export function isPodResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || isHugePages(name);
}

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-');
}

/** `resources.requests` or `resources.limits` of a container, or of a pod's spec. */
function quantitiesAt(of: JsonObject, kind: 'requests' | 'limits'): Map<string, Quantity> {
  const found = new Map<string, Quantity>();
  const resources = objectAt(of, 'resources', kind);
  for (const name in resources) {
    const quantity = quantityIn(resources[name]);
    if (quantity !== undefined) found.set(name, quantity);
  }
  return found;
}

function addAll(total: Map<string, Quantity>, more: ReadonlyMap<string, Quantity>): void {
  for (const [name, quantity] of more) addTo(total, name, quantity);
}

function addTo(total: Map<string, Quantity>, name: string, quantity: Quantity): void {
  total.set(name, addQuantity(total.get(name) ?? zeroQuantity, quantity));
}

function raise(total: Map<string, Quantity>, floor: ReadonlyMap<string, Quantity>): void {
  for (const [name, quantity] of floor) {
    const before = total.get(name);
    if (before === undefined || compareQuantity(quantity, before) > 0) total.set(name, quantity);
  }
}
