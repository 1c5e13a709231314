import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import {
  clusterOverridePoliciesGvr,
  clusterPropagationPoliciesGvr,
  overridePoliciesGvr,
  propagationPoliciesGvr,
} from '#api/policy/group.ts';
import type { OverrideSpec, PropagationSpec } from '#api/policy/placement.ts';
import { everyKind, type PropagationPolicy } from '#api/policy/propagation-policy.ts';
import type { RolloutProgress } from '#api/policy/rollout-progress.ts';
import { isPropagatedResource } from '#api/policy/selected-kinds.ts';
import type { BoundPolicy } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import type { Discovery } from '../discovery.ts';
import { type OverrideSource, overridesOfRules, rulesOf } from '../projection/overrides.ts';
import type { WorkspaceRef, Workspaces } from '../workspaces.ts';
import { editedAt } from './activation.ts';
import { depthOf, InheritedPolicies, isAbove } from './inherited.ts';
import {
  inheritedKeyOf,
  PolicyIndex,
  policyKeyOf,
  type ResolvedPolicy,
  splitInheritedKey,
} from './policy-index.ts';

export interface PoliciesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly discovery: Discovery;
  readonly workspaces: Workspaces;
  /** A policy came, changed or went. */
  readonly onPolicy: (key: string) => void;
  /** Nothing of a policy has changed but its status. */
  readonly onStatus: (key: string) => void;
  /** Overrides of a project changed; the namespace is undefined for cluster-wide ones. */
  readonly onOverride: (cluster: string, namespace: string | undefined) => void;
  /** A policy above a project that bounds its objects came, changed or went. */
  readonly onBound: (cluster: string) => void;
}

/** What is known of a policy's selectors after asking discovery. */
export interface Resolution {
  readonly policy: ResolvedPolicy;
  /** Kinds that the project does not serve (yet), as `apiVersion kind`. */
  readonly missing: readonly string[];
}

/** Policies and overrides of all projects: four wildcard watches, and an index over what the policies select. */
export class Policies {
  readonly index = new PolicyIndex();
  readonly inherited = new InheritedPolicies();
  readonly #options: PoliciesOptions;
  readonly #informers: { readonly namespaced: Informer; readonly clusterWide: Informer };
  readonly #overrideInformers: readonly Informer[];
  readonly #overrides = new Map<string, Map<string, OverrideSource>>();
  /** Policies that were not resolved since they changed: the groups that they may select. */
  readonly #pending = new Map<string, { readonly cluster: string; readonly groups: ReadonlySet<string> }>();
  /** Policies that name a kind which their project does not serve, and their project. */
  readonly #missing = new Map<string, string>();

  constructor(options: PoliciesOptions) {
    this.#options = options;
    const informer = (
      gvr: typeof propagationPoliciesGvr | PolicyGvr,
      handler: (object: KubeObject | undefined, old: KubeObject | undefined) => void,
    ) => {
      const made = new Informer({
        client: options.client,
        clock: options.clock,
        logger: options.logger,
        collection: { cluster: '*', gvr },
        transform: withoutManagedFields,
      });
      made.addHandler({
        onAdd: (object) => handler(object, undefined),
        onUpdate: (object, old) => handler(object, old),
        onDelete: (old) => handler(undefined, old),
      });
      return made;
    };
    const onPolicy = (object: KubeObject | undefined, old: KubeObject | undefined): void => {
      const one = object ?? old;
      if (one === undefined) return;
      const key = keyOfPolicy(one);
      if (isStatusAlone(object, old)) {
        options.onStatus(key);
        return;
      }
      const above = this.#workspaceAbove(one);
      if (above !== undefined) {
        this.#onInherited(key, above, object);
        return;
      }
      // Until it is resolved anew, nothing that it may select is let go of.
      if (object !== undefined) this.#markPending(key, clusterOf(one), object);
      options.onPolicy(key);
    };
    this.#informers = {
      namespaced: informer(propagationPoliciesGvr, onPolicy),
      clusterWide: informer(clusterPropagationPoliciesGvr, onPolicy),
    };
    const onOverride = (object: KubeObject | undefined, old: KubeObject | undefined): void => {
      this.#putOverride(object, old);
    };
    this.#overrideInformers = [
      informer(overridePoliciesGvr, onOverride),
      informer(clusterOverridePoliciesGvr, onOverride),
    ];
  }

  async start(): Promise<void> {
    const all = [this.#informers.namespaced, this.#informers.clusterWide, ...this.#overrideInformers];
    for (const informer of all) informer.start();
    await Promise.all(all.map((informer) => informer.synced));
  }

  async stop(): Promise<void> {
    const all = [this.#informers.namespaced, this.#informers.clusterWide, ...this.#overrideInformers];
    await Promise.all(all.map((informer) => informer.stop()));
  }

  get connected(): boolean {
    return this.#informers.namespaced.connected && this.#informers.clusterWide.connected;
  }

  /** Keys of all policies stored, of inherited ones as each project has them. */
  *keys(): IterableIterator<string> {
    for (const informer of [this.#informers.namespaced, this.#informers.clusterWide]) {
      for (const object of informer.values()) {
        const key = keyOfPolicy(object);
        const above = this.#workspaceAbove(object);
        if (above === undefined) yield key;
        else
          for (const id of this.#options.workspaces.projectsBelow(above.path)) yield inheritedKeyOf(key, id);
      }
    }
  }

  /** Keys of a project's policies, inherited ones among them. */
  *keysIn(cluster: string): IterableIterator<string> {
    for (const key of this.keys())
      if (key.startsWith(`${cluster}|`) || splitInheritedKey(key)?.project === cluster) yield key;
  }

  /** A project came, moved or went: keys of the inherited policies that it has, or had. */
  inheritedKeysIn(project: string): Set<string> {
    const keys = new Set<string>();
    const path = this.#options.workspaces.get(project)?.path;
    for (const key of path === undefined ? [] : this.inherited.keysAbove(path))
      keys.add(inheritedKeyOf(key, project));
    for (const { key } of this.index.inheritedIn(project)) keys.add(key);
    return keys;
  }

  /** A workspace that may stand above projects came: its policies may have been told before it was. */
  onWorkspace({ id, kind }: WorkspaceRef): void {
    if (kind === 'project' || kind === 'cell') return;
    for (const object of this.#informers.clusterWide.values()) {
      const above = clusterOf(object) === id ? this.#workspaceAbove(object) : undefined;
      if (above !== undefined) this.#onInherited(keyOfPolicy(object), above, object);
    }
    for (const informer of this.#overrideInformers)
      for (const object of informer.values())
        if (clusterOf(object) === id) this.#putOverride(object, undefined);
  }

  /** The key of the policy that a binding names as the one that decided. */
  ownerKey(project: string, { workspace, namespace, name }: BoundPolicy): string | undefined {
    if (workspace === undefined) return policyKeyOf(project, namespace, name);
    const id = this.#options.workspaces.idOf(workspace);
    return id === undefined ? undefined : inheritedKeyOf(policyKeyOf(id, undefined, name), project);
  }

  /** Whether a cell with other labels is another for overrides and inherited policies of the project. */
  distinguishes(cluster: string, now: CellInfo, old: CellInfo): boolean {
    const path = this.#options.workspaces.get(cluster)?.path ?? '';
    for (const { selects } of this.inherited.boundsAbove(path))
      if (selects(now) !== selects(old)) return true;
    for (const { spec } of this.overridesOf(cluster)) {
      for (const { matches } of overridesOfRules(rulesOf(spec)))
        if (matches(now) !== matches(old)) return true;
    }
    return false;
  }

  *overridesOf(cluster: string): IterableIterator<OverrideSource> {
    yield* this.#overrides.get(cluster)?.values() ?? [];
    const path = this.#options.workspaces.get(cluster)?.path;
    if (path !== undefined) yield* this.inherited.overridesAbove(path);
  }

  /** What a policy's own status says of its rollout. */
  toldProgress(key: string): RolloutProgress | undefined {
    return (this.#stored(key) as PropagationPolicy | undefined)?.status?.rollout;
  }

  /** A policy that projects inherit, with its keys as they have it; undefined when it is none. */
  policyAbove(key: string): PolicyAbove | undefined {
    const object = splitInheritedKey(key) === undefined ? this.#stored(key) : undefined;
    const above = object === undefined ? undefined : this.#workspaceAbove(object);
    if (object === undefined || above === undefined || object.metadata.deletionTimestamp !== undefined)
      return undefined;
    const { name = '', uid = '', resourceVersion } = object.metadata;
    return {
      cluster: above.id,
      namespace: undefined,
      name,
      uid,
      resourceVersion,
      spec: object['spec'] as PropagationSpec,
      keys: Array.from(this.#options.workspaces.projectsBelow(above.path), (id) => inheritedKeyOf(key, id)),
    };
  }

  /** Keys of policies that wait for a kind to be served in this project. */
  *unresolvedIn(cluster: string): IterableIterator<string> {
    for (const [key, project] of this.#missing) if (project === cluster) yield key;
  }

  /** Whether a policy of this project is not resolved that may select objects of the group. */
  isUnresolved(cluster: string, group: string): boolean {
    for (const entry of this.#pending.values()) {
      if (entry.cluster === cluster && entry.groups.has(group)) return true;
    }
    return false;
  }

  /** The stored policy with its selectors resolved, filed in the index; undefined when it is gone (and taken out). */
  async resolve(key: string, signal: AbortSignal): Promise<Resolution | undefined> {
    const object = this.#stored(key);
    const inheritedFrom = object === undefined ? undefined : this.#inheritance(key, object);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined || inheritedFrom === 'none') {
      this.index.remove(key);
      this.#pending.delete(key);
      this.#missing.delete(key);
      return undefined;
    }
    const cluster = splitInheritedKey(key)?.project ?? clusterOf(object);
    const spec = object['spec'] as PropagationSpec;
    const selectors: ResolvedPolicy['selectors'][number][] = [];
    const missing: string[] = [];
    for (const selector of spec.resourceSelectors ?? []) {
      if (selector.kind === everyKind) continue;
      const resource = await this.#options.discovery.lookup(
        cluster,
        selector.apiVersion,
        selector.kind,
        signal,
      );
      if (resource === undefined) {
        missing.push(`${selector.apiVersion} ${selector.kind}`);
      } else if (isPropagatedResource(resource.group, resource.resource)) {
        // A namespaced policy says nothing about what lies in no namespace.
        if (resource.namespaced || object.metadata.namespace === undefined)
          selectors.push({ selector, resource });
      }
    }
    const policy: ResolvedPolicy = {
      key,
      cluster,
      inheritedFrom,
      namespace: object.metadata.namespace,
      name: object.metadata.name ?? '',
      uid: object.metadata.uid ?? '',
      spec,
      ...lastEdits.get(object),
      selectors,
    };
    if (this.#stored(key) !== object) return this.resolve(key, signal);
    this.index.put(policy);
    this.#pending.delete(key);
    if (missing.length === 0) this.#missing.delete(key);
    else this.#missing.set(key, cluster);
    return { policy, missing };
  }

  #stored(key: string): KubeObject | undefined {
    const stored = splitInheritedKey(key)?.policyKey ?? key;
    return this.#informers.namespaced.get(stored) ?? this.#informers.clusterWide.get(stored);
  }

  /** The workspace that the policy stands in, when that is none of a project. */
  #workspaceAbove(object: KubeObject): WorkspaceRef | undefined {
    const workspace = this.#options.workspaces.get(clusterOf(object));
    return workspace === undefined || workspace.kind === 'project' ? undefined : workspace;
  }

  /** `none`: the policy is not (any more) the project's; undefined: it is its own. */
  #inheritance(key: string, object: KubeObject): ResolvedPolicy['inheritedFrom'] | 'none' {
    const above = this.#workspaceAbove(object);
    const project = splitInheritedKey(key)?.project;
    if (project === undefined) return above === undefined ? undefined : 'none';
    const path = this.#options.workspaces.project(project)?.path;
    if (above === undefined || path === undefined || !isAbove(above.path, path)) return 'none';
    return { workspace: above.path, depth: depthOf(above.path) };
  }

  #onInherited(key: string, { path }: WorkspaceRef, object: KubeObject | undefined): void {
    if (object === undefined) this.inherited.remove(key);
    else this.inherited.put(key, path, object.metadata.name ?? '', object['spec'] as PropagationSpec);
    for (const project of this.#options.workspaces.projectsBelow(path)) {
      const inherited = inheritedKeyOf(key, project);
      if (object !== undefined) this.#markPending(inherited, project, object);
      this.#options.onPolicy(inherited);
      this.#options.onBound(project);
    }
  }

  #markPending(key: string, cluster: string, object: KubeObject): void {
    const groups = new Set<string>();
    for (const { apiVersion } of (object['spec'] as PropagationSpec | undefined)?.resourceSelectors ?? []) {
      groups.add(parseApiVersion(apiVersion)?.group ?? '');
    }
    this.#pending.set(key, { cluster, groups });
  }

  #putOverride(object: KubeObject | undefined, old: KubeObject | undefined): void {
    const one = object ?? old;
    if (one === undefined) return;
    const cluster = clusterOf(one);
    const { namespace, name = '' } = one.metadata;
    const key = policyKeyOf(cluster, namespace, name);
    const above = this.#workspaceAbove(one);
    if (above !== undefined) {
      if (object === undefined) this.inherited.removeOverride(key);
      else this.inherited.putOverride(key, above.path, name, object['spec'] as OverrideSpec);
      for (const project of this.#options.workspaces.projectsBelow(above.path))
        this.#options.onBound(project);
      return;
    }
    let ofProject = this.#overrides.get(cluster);
    if (object === undefined) {
      ofProject?.delete(key);
      if (ofProject?.size === 0) this.#overrides.delete(cluster);
    } else {
      if (ofProject === undefined) {
        ofProject = new Map();
        this.#overrides.set(cluster, ofProject);
      }
      ofProject.set(key, { name, namespace, spec: object['spec'] as OverrideSpec });
    }
    this.#options.onOverride(cluster, namespace);
  }
}

/** A policy of a workspace above projects. */
export interface PolicyAbove {
  readonly cluster: string;
  readonly namespace: undefined;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string | undefined;
  readonly spec: PropagationSpec;
  /** Of the projects below, as policies of theirs. */
  readonly keys: readonly string[];
}

type PolicyGvr =
  | typeof propagationPoliciesGvr
  | typeof clusterPropagationPoliciesGvr
  | typeof overridePoliciesGvr
  | typeof clusterOverridePoliciesGvr;

/** Our own word of progress says nothing new. */
function isStatusAlone(object: KubeObject | undefined, old: KubeObject | undefined): boolean {
  if (object === undefined || old === undefined || object.metadata.uid !== old.metadata.uid) return false;
  const { generation, deletionTimestamp } = object.metadata;
  return generation === old.metadata.generation && deletionTimestamp === old.metadata.deletionTimestamp;
}

/** The same text as the informer's own key. */
function keyOfPolicy(object: KubeObject): string {
  return policyKeyOf(clusterOf(object), object.metadata.namespace, object.metadata.name ?? '');
}

/** When each policy was last edited, which its managedFields tell. */
const lastEdits = new WeakMap<KubeObject, Pick<ResolvedPolicy, 'editedAt' | 'writtenIn'>>();

function withoutManagedFields(object: KubeObject): KubeObject {
  lastEdits.set(object, { editedAt: editedAt(object), writtenIn: object.metadata.resourceVersion });
  delete object.metadata.managedFields;
  return object;
}
