import { isPropagatedResource } from '#api/policy/selected-kinds.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Bounds } from './algorithm/bounds.ts';
import type { BindingStore } from './bindings/binding-store.ts';
import { dependencyResourceOf } from './dependencies/dependency-table.ts';
import { followingMatch, type Need, needOf, noNeed } from './dependencies/need.ts';
import type { Requirements } from './dependencies/requirements.ts';
import type { Interpretation } from './interpreter/interpretation.ts';
import type { Interpretations } from './interpreter/interpretations.ts';
import type { KeyStates } from './key-state.ts';
import type { Mappers } from './mappers.ts';
import { type KeyParts, keyOf, type ProjectObjectKey } from './object-key.ts';
import { PageReader } from './page-reader.ts';
import { activeMatch, isLazy } from './policy/activation.ts';
import type { Policies } from './policy/policies.ts';
import type { PolicyMatch } from './policy/policy-index.ts';
import { isPropagatedMetadata, isPropagatedObject } from './projection/kinds.ts';
import type { NameMapper } from './projection/names.ts';
import { readObject } from './read-object.ts';
import { type ResourceWatches, watchName } from './watches/resource-watches.ts';
import type { WorkspaceRef, Workspaces } from './workspaces.ts';

/** What a decision is made from. */
export interface Known {
  readonly project: WorkspaceRef;
  readonly object: KubeObject;
  readonly present: ResourceBinding | undefined;
  readonly mapper: NameMapper;
  readonly match: PolicyMatch;
  readonly need: Need;
  /** What inherited policies allow; undefined: everything. */
  readonly bounds: Bounds | undefined;
  /** How the project, or a workspace above it, wants the kind to be understood. */
  readonly interpretation: Interpretation | undefined;
}

/** What a decision's reader asks. */
export interface KnownReaderDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Fires when the scheduler stops. */
  readonly signal: AbortSignal;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly policies: Policies;
  readonly interpretations: Interpretations;
  readonly mappers: Mappers;
  readonly bindings: BindingStore;
  readonly states: KeyStates;
  readonly requirements: Requirements;
}

/** Who selects or needs a project object, by what the watches tell; and all that a decision about it is made from. */
export class KnownReader {
  readonly #on: KnownReaderDependencies;
  readonly #pages: PageReader;

  constructor(dependencies: KnownReaderDependencies) {
    this.#on = dependencies;
    const { watches } = dependencies;
    this.#pages = new PageReader({ ...dependencies, told: (key) => watches.ofKey(key) });
  }

  /** The policy that the object follows now, or a match that stands for those that need it; undefined for neither. */
  matchOf(key: ProjectObjectKey, parts: KeyParts): PolicyMatch | undefined {
    const owner = this.#ownerOf(parts);
    if (owner === undefined) return this.#followed(key, parts);
    if (!isLazy(owner.policy)) return owner;
    const decidedBy = this.#on.states.get(key)?.decidedBy;
    return decidedBy === undefined || decidedBy.policy.key !== owner.policy.key ? owner : decidedBy;
  }

  /**
   * What a decision needs, read anew; undefined when the object is gone, going, or not to be placed by the policy that selects
   * it. `unselected`: not to be placed, and no policy selected it when it was looked at. `waiting`: who needs it is not known yet.
   */
  async read(parts: KeyParts, signal: AbortSignal): Promise<Known | 'waiting' | 'unselected' | undefined> {
    const selected = this.#ownerOf(parts);
    const none = selected === undefined ? 'unselected' : undefined;
    const project = this.#on.workspaces.project(parts.cluster);
    if (project === undefined) return none;
    const followable = dependencyResourceOf(parts.group, parts.resource);
    const resource = selected?.resource ?? followable;
    if (resource === undefined || (selected === undefined && !this.#mayBeNeeded(parts))) return none;
    const [first, present, mapper] = await Promise.all([
      this.#on.watches.takeWhole(parts, resource) ?? this.#pages.read(parts, resource, signal),
      this.#on.bindings.read(parts, signal),
      this.#on.mappers.of(project, signal),
    ]);
    const isBound = (key: KeyParts): boolean => this.#on.bindings.isKnown(key);
    const need = followable === undefined ? noNeed : needOf(parts, present, this.#on.requirements, isBound);
    if (need === 'waiting') return 'waiting';
    if (first === undefined) return none;
    const owner = selected === undefined ? undefined : this.#stickToOwner(parts, first, present, selected);
    const active = owner === undefined ? undefined : activeMatch(owner, first, present);
    if (active === undefined && need.cells.size === 0) return need.uncertain ? 'waiting' : none;
    const match = active ?? followingMatch(parts.cluster, resource, need);
    const sameVersion = match.resource.version === resource.version;
    const object = sameVersion ? first : await readObject(this.#on.client, parts, match.resource, signal);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return none;
    if (!isPropagatedObject(object)) return none;
    const bounds = this.#on.policies.inherited.boundsOf(project.path, {
      group: parts.group,
      kind: match.resource.kind,
      namespace: parts.namespace,
      name: parts.name,
      labels: object.metadata.labels,
    });
    const interpretation = this.#on.interpretations.of(project, parts.group, match.resource.kind);
    return { project, object, present, mapper, match, need, bounds, interpretation };
  }

  /** Whether a policy selects the object, by what is known at this moment. */
  isSelected(parts: KeyParts): boolean {
    return this.#ownerOf(parts) !== undefined;
  }

  #mayBeNeeded(parts: KeyParts): boolean {
    if (this.#told(parts) === undefined) return false;
    return this.#on.requirements.isRequired(keyOf(parts)) || this.#on.bindings.isKnown(parts);
  }

  /** An object that no policy selects and others need. */
  #followed(key: ProjectObjectKey, parts: KeyParts): PolicyMatch | undefined {
    const resource = dependencyResourceOf(parts.group, parts.resource);
    if (resource === undefined || !this.#on.requirements.isRequired(key)) return undefined;
    return this.#told(parts) === undefined ? undefined : followingMatch(parts.cluster, resource, noNeed);
  }

  /** As the watch tells it, if it is in a project, not going, and of those that travel. */
  #told(parts: KeyParts): ObjectMeta | undefined {
    if (this.#on.workspaces.project(parts.cluster) === undefined) return undefined;
    const metadata = this.#on.watches.ofKey(parts)?.metadata;
    if (metadata === undefined || metadata.deletionTimestamp !== undefined) return undefined;
    return isPropagatedMetadata(parts.group, parts.resource, metadata) ? metadata : undefined;
  }

  #ownerOf(parts: KeyParts): PolicyMatch | undefined {
    const { group, resource, cluster, namespace, name } = parts;
    if (!isPropagatedResource(group, resource)) return undefined;
    const metadata = this.#told(parts);
    if (metadata === undefined) return undefined;
    const { labels } = metadata;
    const owner = this.#on.states.get(keyOf(parts))?.policyKey;
    return this.#on.policies.index.ownerOf(cluster, watchName(parts), { namespace, name, labels }, owner);
  }

  /** After a restart the binding knows who owned the object; an owner that still selects it keeps it. */
  #stickToOwner(
    { cluster, namespace, name, group, resource }: KeyParts,
    object: KubeObject,
    binding: ResourceBinding | undefined,
    match: PolicyMatch,
  ): PolicyMatch {
    const owner = binding?.spec.policy;
    if (owner === undefined) return match;
    const ownerKey = this.#on.policies.ownerKey(cluster, owner);
    if (ownerKey === undefined || ownerKey === match.policy.key) return match;
    const identity = { namespace, name, labels: object.metadata.labels };
    return this.#on.policies.index.ownerOf(cluster, `${resource}.${group}`, identity, ownerKey) ?? match;
  }
}
