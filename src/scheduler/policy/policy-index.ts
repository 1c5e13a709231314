import type { PropagationSpec, ResourceSelector, Suspension } from '#api/policy/placement.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { matchIdentity, type SelectableObject, type Specificity, specificity } from './select-resource.ts';

/** A PropagationPolicy (with namespace) or ClusterPropagationPolicy, with its selectors' resources found. */
export interface ResolvedPolicy {
  /** See `policyKeyOf`. */
  readonly key: string;
  /** The project that it is resolved for, though it may stand above it. */
  readonly cluster: string;
  /** Where it stands, when that is above the project. */
  readonly inheritedFrom?: { readonly workspace: string; readonly depth: number } | undefined;
  /** Undefined for a ClusterPropagationPolicy. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
  /** When its spec was last written; undefined: not known. */
  readonly editedAt?: string | undefined;
  /** The resource version that it was last written in, its status included. */
  readonly writtenIn?: string | undefined;
  readonly spec: PropagationSpec;
  readonly selectors: readonly {
    readonly selector: ResourceSelector;
    readonly resource: DiscoveredResource;
  }[];
}

/** Cells that the policy holds dispatching back from; true: all. */
export function suspendedCells({
  suspension,
}: {
  readonly suspension?: Suspension | undefined;
}): true | ReadonlySet<string> {
  if (suspension?.dispatching === true) return true;
  return new Set(suspension?.dispatchingOnClusters?.clusterNames ?? []);
}

/** `<cluster>|<namespace>/<name>`; the namespace is empty for a ClusterPropagationPolicy, and for nothing else. */
export function policyKeyOf(cluster: string, namespace: string | undefined, name: string): string {
  return `${cluster}|${namespace ?? ''}/${name}`;
}

/** The key of an inherited policy as one project has it. */
export function inheritedKeyOf(policyKey: string, project: string): string {
  return `${policyKey}@${project}`;
}

/** The inverse; undefined for a project's own policy. */
export function splitInheritedKey(
  key: string,
): { readonly policyKey: string; readonly project: string } | undefined {
  const at = key.lastIndexOf('@');
  return at < 0 ? undefined : { policyKey: key.slice(0, at), project: key.slice(at + 1) };
}

/** The project that a policy's key is for, inherited or its own. */
export function clusterOfPolicy(key: string): string {
  return splitInheritedKey(key)?.project ?? key.slice(0, key.indexOf('|'));
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
  /** `<cluster>|<resource>.<group>` → policies that may select it, by their namespace; '' for cluster-wide ones. */
  readonly #byResource = new Map<string, Map<string, Map<string, Candidate>>>();
  readonly #resourceCounts = new Map<string, number>();
  #propagating = 0;
  #prioritizing = 0;

  get(key: string): ResolvedPolicy | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<ResolvedPolicy> {
    return this.#byKey.values();
  }

  /** The policies that a project has from above. */
  *inheritedIn(project: string): IterableIterator<ResolvedPolicy> {
    for (const policy of this.#byKey.values())
      if (policy.inheritedFrom !== undefined && policy.cluster === project) yield policy;
  }

  put(policy: ResolvedPolicy): void {
    this.remove(policy.key);
    this.#byKey.set(policy.key, policy);
    if (policy.spec.propagateDeps === true) this.#propagating++;
    if (policy.spec.schedulePriority !== undefined) this.#prioritizing++;
    for (const resource of resourceNames(policy)) {
      const at = `${policy.cluster}|${resource}`;
      const selectors = policy.selectors.filter((one) => resourceNameOf(one) === resource);
      let byNamespace = this.#byResource.get(at);
      if (byNamespace === undefined) {
        byNamespace = new Map();
        this.#byResource.set(at, byNamespace);
      }
      const { namespace = '' } = policy;
      const candidates = byNamespace.get(namespace);
      if (candidates === undefined)
        byNamespace.set(namespace, new Map([[policy.key, { policy, selectors }]]));
      else candidates.set(policy.key, { policy, selectors });
      this.#resourceCounts.set(resource, (this.#resourceCounts.get(resource) ?? 0) + 1);
    }
  }

  remove(key: string): ResolvedPolicy | undefined {
    const policy = this.#byKey.get(key);
    if (policy === undefined) return undefined;
    this.#byKey.delete(key);
    if (policy.spec.propagateDeps === true) this.#propagating--;
    if (policy.spec.schedulePriority !== undefined) this.#prioritizing--;
    for (const resource of resourceNames(policy)) {
      const at = `${policy.cluster}|${resource}`;
      const { namespace = '' } = policy;
      const byNamespace = this.#byResource.get(at);
      const candidates = byNamespace?.get(namespace);
      candidates?.delete(key);
      if (candidates?.size === 0) byNamespace?.delete(namespace);
      if (byNamespace?.size === 0) this.#byResource.delete(at);
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

  /** Whether any policy of any project says in which order its objects are decided. */
  get prioritizes(): boolean {
    return this.#prioritizing > 0;
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
   * a cluster-wide one of lower priority. Inherited policies come after the project's own, the nearest first; one with
   * preemption `Always` comes before them.
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
    const look = (candidate: Candidate): void => {
      const match = matchPolicy(candidate, object);
      if (match === undefined) return;
      const { policy } = match;
      if (policy.key === ownerKey) owner = match;
      if (best === undefined || outranks(match, best)) best = match;
      if (policy.spec.preemption === 'Always' && (preemptor === undefined || preempts(match, preemptor)))
        preemptor = match;
    };
    const byNamespace = this.#byResource.get(`${cluster}|${resource}`);
    if (byNamespace === undefined) return undefined;
    if (object.namespace !== '') byNamespace.get(object.namespace)?.forEach(look);
    byNamespace.get('')?.forEach(look);
    if (owner === undefined || isDisplaced(owner.policy, best?.policy)) owner = best;
    if (owner === undefined) return undefined;
    return preemptor !== undefined && mayPreempt(preemptor.policy, owner.policy) ? preemptor : owner;
  }
}

type PolicySelector = ResolvedPolicy['selectors'][number];

/** A policy with its selectors for one resource. */
interface Candidate {
  readonly policy: ResolvedPolicy;
  readonly selectors: readonly PolicySelector[];
}

function resourceNames(policy: ResolvedPolicy): Set<string> {
  return new Set(policy.selectors.map(resourceNameOf));
}

function resourceNameOf({ resource }: PolicySelector): string {
  return `${resource.resource}.${resource.group}`;
}

function matchPolicy({ policy, selectors }: Candidate, object: ObjectIdentity): PolicyMatch | undefined {
  let best: PolicyMatch | undefined;
  for (const { selector, resource } of selectors) {
    const match = matchIdentity(selector, object);
    if (match > (best?.specificity ?? specificity.none)) best = { policy, resource, specificity: match };
  }
  return best;
}

function outranks(a: PolicyMatch, b: PolicyMatch): boolean {
  const nearness = depth(a.policy) - depth(b.policy);
  if (nearness !== 0) return nearness > 0;
  const scope = Number(a.policy.namespace !== undefined) - Number(b.policy.namespace !== undefined);
  if (scope !== 0) return scope > 0;
  const priority = (a.policy.spec.priority ?? 0) - (b.policy.spec.priority ?? 0);
  if (priority !== 0) return priority > 0;
  if (a.specificity !== b.specificity) return a.specificity > b.specificity;
  return a.policy.name < b.policy.name;
}

function depth({ inheritedFrom }: ResolvedPolicy): number {
  return inheritedFrom?.depth ?? 1_000;
}

/** An inherited policy places what nobody nearer places. */
function isDisplaced(owner: ResolvedPolicy, best: ResolvedPolicy | undefined): boolean {
  return best !== undefined && depth(best) > depth(owner) && owner.spec.preemption !== 'Always';
}

/** Of policies that would take an object over, inherited ones come first, the outermost before others. */
function preempts(a: PolicyMatch, b: PolicyMatch): boolean {
  const nearness = depth(a.policy) - depth(b.policy);
  return nearness === 0 ? outranks(a, b) : nearness < 0;
}

function mayPreempt(preemptor: ResolvedPolicy, owner: ResolvedPolicy): boolean {
  if (preemptor === owner) return false;
  if (depth(preemptor) !== depth(owner)) return depth(preemptor) < depth(owner);
  const higher = (preemptor.spec.priority ?? 0) > (owner.spec.priority ?? 0);
  if (preemptor.namespace === undefined) return owner.namespace === undefined && higher;
  return owner.namespace === undefined || higher;
}
