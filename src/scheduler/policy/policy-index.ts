import type { PropagationSpec, ResourceSelector } from '#api/policy/placement.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { matchSelector, type SelectableObject, type Specificity, specificity } from './select-resource.ts';

/** A PropagationPolicy (with namespace) or ClusterPropagationPolicy, with its selectors' resources found. */
export interface ResolvedPolicy {
  /** See `policyKeyOf`. */
  readonly key: string;
  readonly cluster: string;
  /** Undefined for a ClusterPropagationPolicy. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
  readonly spec: PropagationSpec;
  readonly selectors: readonly {
    readonly selector: ResourceSelector;
    readonly resource: DiscoveredResource;
  }[];
}

/** Cells that the policy holds dispatching back from; true: all. */
export function suspendedCells({ suspension }: PropagationSpec): true | ReadonlySet<string> {
  if (suspension?.dispatching === true) return true;
  return new Set(suspension?.dispatchingOnClusters?.clusterNames ?? []);
}

/** `<cluster>|<namespace>/<name>`; the namespace is empty for a ClusterPropagationPolicy, and for nothing else. */
export function policyKeyOf(cluster: string, namespace: string | undefined, name: string): string {
  return `${cluster}|${namespace ?? ''}/${name}`;
}

export interface PolicyMatch {
  readonly policy: ResolvedPolicy;
  readonly resource: DiscoveredResource;
  readonly specificity: Specificity;
}

/** What an object looks like to selectors, of whichever version they speak. */
export type ObjectIdentity = Omit<SelectableObject, 'apiVersion' | 'kind'>;

/** Policies of all projects, by project and resource. Pure state, no I/O. */
export class PolicyIndex {
  readonly #byKey = new Map<string, ResolvedPolicy>();
  /** `<cluster>|<resource>.<group>` → policies that may select it. */
  readonly #byResource = new Map<string, Set<ResolvedPolicy>>();
  readonly #resourceCounts = new Map<string, number>();
  #propagating = 0;

  get(key: string): ResolvedPolicy | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<ResolvedPolicy> {
    return this.#byKey.values();
  }

  put(policy: ResolvedPolicy): void {
    this.remove(policy.key);
    this.#byKey.set(policy.key, policy);
    if (policy.spec.propagateDeps === true) this.#propagating++;
    for (const resource of resourceNames(policy)) {
      const at = `${policy.cluster}|${resource}`;
      const present = this.#byResource.get(at);
      if (present === undefined) this.#byResource.set(at, new Set([policy]));
      else present.add(policy);
      this.#resourceCounts.set(resource, (this.#resourceCounts.get(resource) ?? 0) + 1);
    }
  }

  remove(key: string): ResolvedPolicy | undefined {
    const policy = this.#byKey.get(key);
    if (policy === undefined) return undefined;
    this.#byKey.delete(key);
    if (policy.spec.propagateDeps === true) this.#propagating--;
    for (const resource of resourceNames(policy)) {
      const at = `${policy.cluster}|${resource}`;
      const present = this.#byResource.get(at);
      present?.delete(policy);
      if (present?.size === 0) this.#byResource.delete(at);
      const count = (this.#resourceCounts.get(resource) ?? 0) - 1;
      if (count > 0) this.#resourceCounts.set(resource, count);
      else this.#resourceCounts.delete(resource);
    }
    return policy;
  }

  /** Whether any policy of any project lets what its objects name follow them. */
  get propagatesDependencies(): boolean {
    return this.#propagating > 0;
  }

  /** Whether any policy of any project could select `<resource>.<group>`. */
  selectsResource(resource: string): boolean {
    return this.#resourceCounts.has(resource);
  }

  /** Whether a policy of this project could select `<resource>.<group>`. */
  selectsIn(cluster: string, resource: string): boolean {
    return this.#byResource.has(`${cluster}|${resource}`);
  }

  /**
   * The policy that owns an object (PLACEMENT.md 1): a policy of its namespace before a cluster-wide one, then higher
   * priority, closer selector, name. An owner that still selects the object keeps it, unless a policy with preemption
   * `Always` outranks it: a namespaced one by higher priority or over any cluster-wide one, a cluster-wide one only over
   * a cluster-wide one of lower priority.
   */
  ownerOf(
    cluster: string,
    resource: string,
    object: ObjectIdentity,
    ownerKey: string | undefined,
  ): PolicyMatch | undefined {
    let best: PolicyMatch | undefined;
    let owner: PolicyMatch | undefined;
    let preemptor: PolicyMatch | undefined;
    for (const policy of this.#byResource.get(`${cluster}|${resource}`) ?? []) {
      const match = matchPolicy(policy, resource, object);
      if (match === undefined) continue;
      if (policy.key === ownerKey) owner = match;
      if (best === undefined || outranks(match, best)) best = match;
      if (policy.spec.preemption === 'Always' && (preemptor === undefined || outranks(match, preemptor)))
        preemptor = match;
    }
    if (owner === undefined) return best;
    return preemptor !== undefined && mayPreempt(preemptor.policy, owner.policy) ? preemptor : owner;
  }
}

function resourceNames(policy: ResolvedPolicy): Set<string> {
  return new Set(policy.selectors.map(({ resource }) => `${resource.resource}.${resource.group}`));
}

function matchPolicy(
  policy: ResolvedPolicy,
  resourceName: string,
  object: ObjectIdentity,
): PolicyMatch | undefined {
  if (policy.namespace !== undefined && policy.namespace !== object.namespace) return undefined;
  let best: PolicyMatch | undefined;
  for (const { selector, resource } of policy.selectors) {
    if (`${resource.resource}.${resource.group}` !== resourceName) continue;
    const { apiVersion, kind } = selector;
    const match = matchSelector(selector, { ...object, apiVersion, kind });
    if (match > (best?.specificity ?? specificity.none)) best = { policy, resource, specificity: match };
  }
  return best;
}

function outranks(a: PolicyMatch, b: PolicyMatch): boolean {
  const scope = Number(a.policy.namespace !== undefined) - Number(b.policy.namespace !== undefined);
  if (scope !== 0) return scope > 0;
  const priority = (a.policy.spec.priority ?? 0) - (b.policy.spec.priority ?? 0);
  if (priority !== 0) return priority > 0;
  if (a.specificity !== b.specificity) return a.specificity > b.specificity;
  return a.policy.name < b.policy.name;
}

function mayPreempt(preemptor: ResolvedPolicy, owner: ResolvedPolicy): boolean {
  if (preemptor === owner) return false;
  const higher = (preemptor.spec.priority ?? 0) > (owner.spec.priority ?? 0);
  if (preemptor.namespace === undefined) return owner.namespace === undefined && higher;
  return owner.namespace === undefined || higher;
}
