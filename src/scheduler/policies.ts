import {
  clusterOverridePoliciesGvr,
  clusterPropagationPoliciesGvr,
  overridePoliciesGvr,
  propagationPoliciesGvr,
} from '#api/policy/group.ts';
import type { OverrideSpec, PropagationSpec } from '#api/policy/placement.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { clusterAnnotation, Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { Discovery } from './discovery.ts';
import { PolicyIndex, policyKeyOf, type ResolvedPolicy } from './policy/policy-index.ts';
import { isPropagatedResource } from './projection/kinds.ts';
import type { OverrideSource } from './projection/overrides.ts';

export interface PoliciesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly discovery: Discovery;
  /** A policy came, changed or went. */
  readonly onPolicy: (key: string) => void;
  /** Overrides of a project changed; the namespace is undefined for cluster-wide ones. */
  readonly onOverride: (cluster: string, namespace: string | undefined) => void;
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
      // Until it is resolved anew, nothing that it may select is let go of.
      if (object !== undefined) this.#markPending(object);
      options.onPolicy(keyOfPolicy(one));
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

  /** Keys of all policies stored. */
  *keys(): IterableIterator<string> {
    for (const informer of [this.#informers.namespaced, this.#informers.clusterWide]) {
      for (const object of informer.values()) yield keyOfPolicy(object);
    }
  }

  /** Keys of a project's policies. */
  *keysIn(cluster: string): IterableIterator<string> {
    for (const key of this.keys()) if (key.startsWith(`${cluster}|`)) yield key;
  }

  overridesOf(cluster: string): Iterable<OverrideSource> {
    return this.#overrides.get(cluster)?.values() ?? [];
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
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      this.index.remove(key);
      this.#pending.delete(key);
      this.#missing.delete(key);
      return undefined;
    }
    const cluster = object.metadata.annotations?.[clusterAnnotation] ?? '';
    const spec = object['spec'] as PropagationSpec;
    const selectors: ResolvedPolicy['selectors'][number][] = [];
    const missing: string[] = [];
    for (const selector of spec.resourceSelectors ?? []) {
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
      namespace: object.metadata.namespace,
      name: object.metadata.name ?? '',
      uid: object.metadata.uid ?? '',
      spec,
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
    return this.#informers.namespaced.get(key) ?? this.#informers.clusterWide.get(key);
  }

  #markPending(object: KubeObject): void {
    const cluster = object.metadata.annotations?.[clusterAnnotation] ?? '';
    const groups = new Set<string>();
    for (const { apiVersion } of (object['spec'] as PropagationSpec | undefined)?.resourceSelectors ?? []) {
      groups.add(parseApiVersion(apiVersion)?.group ?? '');
    }
    this.#pending.set(keyOfPolicy(object), { cluster, groups });
  }

  #putOverride(object: KubeObject | undefined, old: KubeObject | undefined): void {
    const one = object ?? old;
    if (one === undefined) return;
    const cluster = one.metadata.annotations?.[clusterAnnotation] ?? '';
    const { namespace, name = '' } = one.metadata;
    const key = policyKeyOf(cluster, namespace, name);
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

type PolicyGvr =
  | typeof propagationPoliciesGvr
  | typeof clusterPropagationPoliciesGvr
  | typeof overridePoliciesGvr
  | typeof clusterOverridePoliciesGvr;

/** The same text as the informer's own key. */
function keyOfPolicy({ metadata }: KubeObject): string {
  return policyKeyOf(
    metadata.annotations?.[clusterAnnotation] ?? '',
    metadata.namespace,
    metadata.name ?? '',
  );
}

function withoutManagedFields(object: KubeObject): KubeObject {
  delete object.metadata.managedFields;
  return object;
}
