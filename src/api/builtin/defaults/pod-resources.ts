import type { JsonObject } from '#apimachinery/json.ts';
import { formatQuantity } from '#apimachinery/quantity.ts';
import { containerResources, isHugePages, isPodResource } from '../pod-resources.ts';
import { objectIn, objectOf } from './defaulting.ts';

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
  for (const [name, amount] of containerResources(spec, 'limits')) {
    if (!isHugePages(name) || name in given('requests') || name in given('limits')) continue;
    objectIn(resources, 'limits')[name] = formatQuantity(amount);
  }
  const limits = given('limits');
  if (isEmpty(limits)) return;
  const requests: JsonObject = { ...given('requests') };
  for (const [name, amount] of containerResources(spec, 'requests')) {
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
