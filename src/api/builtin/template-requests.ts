import type { JsonObject } from '#apimachinery/json.ts';
import { type Quantity, quantityIn } from '#apimachinery/quantity.ts';
import { defaultPodResources } from './defaults/pod-resources.ts';
import { podResources, sumOverContainers } from './pod-resources.ts';
import { objectAt, objectsAt } from './read.ts';

/**
 * What a pod made from this template's spec asks for. Templates are stored without what a Pod is given when it is made: a
 * container's limit is its request where it names none, and what is given to the pod as a whole in part is completed
 * (SetDefaults_Pod of pkg/apis/core/v1). The spec stays as it is.
 */
export function templateRequests(spec: JsonObject): ReadonlyMap<string, Quantity> {
  // Nearly all templates: nothing is to be copied for what is summed alone.
  if (spec['resources'] === undefined && spec['overhead'] === undefined)
    return sumOverContainers(spec, containerRequests);
  const pod: JsonObject = { ...spec };
  for (const field of ['containers', 'initContainers']) {
    if (Array.isArray(spec[field])) pod[field] = objectsAt(spec, field).map(withRequests);
  }
  const resources = objectAt(spec, 'resources');
  if (resources !== undefined) {
    pod['resources'] = { ...resources, limits: { ...objectAt(resources, 'limits') } };
    defaultPodResources(pod);
  }
  return podResources(pod, 'requests');
}

function containerRequests(container: JsonObject): ReadonlyMap<string, Quantity> {
  const resources = objectAt(container, 'resources');
  if (resources === undefined) return nothing;
  const asked = new Map<string, Quantity>();
  put(asked, objectAt(resources, 'limits'));
  put(asked, objectAt(resources, 'requests'));
  return asked;
}

const nothing: ReadonlyMap<string, Quantity> = new Map();

/** The API server refuses what is no quantity; in a custom kind it may stand, and asks for nothing. */
function put(asked: Map<string, Quantity>, amounts: JsonObject | undefined): void {
  for (const name in amounts) {
    const amount = quantityIn(amounts[name]);
    if (amount !== undefined) asked.set(name, amount);
  }
}

function withRequests(container: JsonObject): JsonObject {
  const resources = objectAt(container, 'resources');
  if (resources === undefined) return container;
  const requests = { ...objectAt(resources, 'limits'), ...objectAt(resources, 'requests') };
  return { ...container, resources: { ...resources, requests } };
}
