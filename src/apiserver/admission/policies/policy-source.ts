import { LRUCache } from 'lru-cache';
import { asObject, asText, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf as storedObjectOf } from '../../registry/stored-object.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { type MatchResources, matchResourcesOf } from './policy-matching.ts';

const workspacesMax = 1_000;
/** Compiled policies of all workspaces; equal ones are one. */
const policiesMax = 5_000;

export interface PolicyBinding {
  readonly name: string;
  readonly paramRef: JsonObject | undefined;
  readonly match: MatchResources | undefined;
  readonly actions: readonly string[];
}

/** A compiled policy with the bindings that put it to work. */
export interface BoundPolicy<T> {
  readonly name: string;
  readonly policy: T;
  readonly bindings: readonly PolicyBinding[];
}

const none: readonly never[] = [];

interface Parsed<T> {
  readonly fingerprint: string;
  readonly policies: readonly BoundPolicy<T>[];
}

/**
 * The policies of a workspace that have bindings, in the order of their names, as of the newest state: nothing is
 * subscribed to, a workspace without bindings costs one look at an empty range. Policies of equal content are compiled
 * once over all workspaces.
 */
export class PolicySource<T extends object> {
  readonly #storage: CachedStorage;
  readonly #prefixes: { readonly policies: string; readonly policybindings: string };
  readonly #compile: (spec: JsonObject) => T;
  readonly #parsed = new LRUCache<string, Parsed<T>>({ max: workspacesMax });
  readonly #compiled = new LRUCache<string, T>({ max: policiesMax });

  constructor(storage: CachedStorage, kind: 'validating' | 'mutating', compile: (spec: JsonObject) => T) {
    this.#storage = storage;
    const prefixOf = (suffix: string) =>
      rangePrefix({ group: 'admissionregistration.k8s.io', resource: `${kind}admission${suffix}` });
    this.#prefixes = { policies: prefixOf('policies'), policybindings: prefixOf('policybindings') };
    this.#compile = compile;
  }

  policies(workspace: Workspace): readonly BoundPolicy<T>[] {
    const bindings = this.#entries('policybindings', workspace);
    if (bindings.length === 0) return none;
    const policies = this.#entries('policies', workspace);
    const fingerprint = [...bindings, ...policies]
      .map(({ key, revision }) => `${key}@${revision}`)
      .join('\n');
    const known = this.#parsed.get(workspace.id);
    if (known?.fingerprint === fingerprint) return known.policies;
    const bound = this.#bind(
      policies,
      bindings.map((entry) => storedObjectOf(entry)),
    );
    this.#parsed.set(workspace.id, { fingerprint, policies: bound });
    return bound;
  }

  #entries(suffix: 'policies' | 'policybindings', workspace: Workspace): readonly CacheEntry[] {
    const prefix = this.#prefixes[suffix];
    // Mostly nobody has any.
    if (this.#storage.snapshot(prefix).count() === 0) return none;
    return [...this.#storage.snapshot(`${prefix}${workspace.id}/`).entries()];
  }

  #bind(policies: readonly CacheEntry[], bindings: readonly KubeObject[]): BoundPolicy<T>[] {
    const bound: BoundPolicy<T>[] = [];
    for (const entry of policies) {
      const policy = storedObjectOf(entry);
      const name = policy.metadata.name ?? '';
      const own = bindings.filter((binding) => asObject(binding['spec'])['policyName'] === name);
      if (own.length > 0)
        bound.push({ name, policy: this.#compiledOf(policy), bindings: own.map(bindingOf) });
    }
    return bound;
  }

  #compiledOf(policy: KubeObject): T {
    const spec = asObject(policy['spec']);
    const key = JSON.stringify(spec);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = this.#compile(spec);
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }
}

function bindingOf(binding: KubeObject): PolicyBinding {
  const spec = asObject(binding['spec']);
  const actions = spec['validationActions'];
  return {
    name: binding.metadata.name ?? '',
    paramRef: spec['paramRef'] === undefined ? undefined : asObject(spec['paramRef']),
    match: matchResourcesOf(spec['matchResources']),
    actions: Array.isArray(actions) ? actions.map((action) => asText(action)) : [],
  };
}
