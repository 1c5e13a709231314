import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  addQuantity,
  compareQuantity,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import { objectAt, objectsAt } from '../read.ts';

const computeResources = ['cpu', 'memory'] as const;

type Sums = Map<string, Quantity>;

/** A pod's quality of service from its cpu and memory (source: ComputePodQOS in Kubernetes' pkg/apis/core/helper/qos). */
export function podQos(pod: KubeObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const requests: Sums = new Map();
  const limits: Sums = new Map();
  let isGuaranteed = true;
  const own = objectAt(pod, 'spec', 'resources');
  const holders =
    own === undefined
      ? [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')].map(
          (container) => objectAt(container, 'resources') ?? {},
        )
      : [own];
  for (const resources of holders) {
    add(objectAt(resources, 'requests'), requests);
    const limited = add(objectAt(resources, 'limits'), limits);
    const hasLimits = own === undefined || objectAt(resources, 'limits') !== undefined;
    if (hasLimits && limited < computeResources.length) isGuaranteed = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  if (isGuaranteed && requests.size === limits.size) {
    const equal = [...requests].every(([name, amount]) => {
      const limit = limits.get(name);
      return limit !== undefined && compareQuantity(limit, amount) === 0;
    });
    if (equal) return 'Guaranteed';
  }
  return 'Burstable';
}

/** Adds the positive amounts; returns how many of the two resources had one. */
function add(list: JsonObject | undefined, sums: Sums): number {
  let count = 0;
  for (const name of computeResources) {
    const text = list?.[name];
    if (typeof text !== 'string') continue;
    let amount: Quantity;
    try {
      amount = parseQuantity(text);
    } catch {
      continue; // validation refuses it
    }
    if (compareQuantity(amount, zeroQuantity) <= 0) continue;
    count++;
    const sum = sums.get(name);
    sums.set(name, sum === undefined ? amount : addQuantity(sum, amount));
  }
  return count;
}
