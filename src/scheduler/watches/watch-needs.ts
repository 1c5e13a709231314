import type { BindingWatch } from '../bindings/binding-watch.ts';
import type { CopyIndex } from '../copies/copy-index.ts';
import { dependencyResourceOf, dependencyResources } from '../dependencies/dependency-table.ts';
import type { KeyStates } from '../key-state.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import type { PolicyIndex, ResolvedPolicy } from '../policy/policy-index.ts';
import { type ResourceWatches, watchName } from './resource-watches.ts';
import {
  alwaysWatched,
  clusterRoleBindingsName,
  isAlwaysWatched,
  pickResource,
  roleBindingsResource,
} from './watched-kinds.ts';

export interface WatchNeedsDependencies {
  readonly watches: ResourceWatches;
  readonly policies: PolicyIndex;
  readonly bindings: BindingWatch;
  readonly copies: CopyIndex;
  readonly states: KeyStates;
  /** Asks for a decision. */
  readonly wake: (key: ProjectObjectKey) => void;
}

/** Which resources have to be watched: what policies select, what is bound, what copies there are of, what these depend on. */
export class WatchNeeds {
  readonly #on: WatchNeedsDependencies;

  constructor(dependencies: WatchNeedsDependencies) {
    this.#on = dependencies;
  }

  /** What references and mapped namespaces depend on, whatever policies select. */
  async ensureAlways(): Promise<void> {
    await Promise.all(alwaysWatched.map((resource) => this.#on.watches.ensure(resource)));
  }

  async ensureSelected(policy: ResolvedPolicy): Promise<void> {
    const { watches } = this.#on;
    for (const { resource } of policy.selectors) {
      await watches.ensure(pickResource(resource));
      if (watchName(resource) === clusterRoleBindingsName) await watches.ensure(roleBindingsResource);
    }
    if (policy.spec.propagateDeps !== true) return;
    await Promise.all(dependencyResources.map((resource) => watches.ensure(pickResource(resource))));
  }

  /** Resources of objects that are bound, though no policy may select them any more. */
  async ensureBound(): Promise<void> {
    await Promise.all(
      Array.from(this.#on.bindings.resources(), (resource) => this.#on.watches.ensure(resource)),
    );
  }

  /** Ends the watch of a resource that nobody serves any more, and looks at what was placed of it. */
  async release(name: string): Promise<void> {
    await this.#on.watches.release(name);
    for (const key of this.#on.states.keysOfResource(name)) this.#on.wake(key);
  }

  /** Ends watches that neither a policy nor a copy needs. */
  async releaseUnused(): Promise<void> {
    const { watches, policies, copies, states } = this.#on;
    for (const [name, resource] of [...watches.resources()]) {
      if (isAlwaysWatched(resource) || policies.selectsResource(name)) continue;
      if (copies.holdsResource(name)) continue;
      const follows = dependencyResourceOf(resource.group, resource.resource) !== undefined;
      if (follows && policies.propagatesDependencies) continue;
      if (name === watchName(roleBindingsResource) && policies.selectsResource(clusterRoleBindingsName))
        continue;
      if (states.keysOfResource(name).size > 0) continue;
      await watches.release(name);
    }
  }
}
