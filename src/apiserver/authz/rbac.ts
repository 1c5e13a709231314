import type { KubeObject } from '#apimachinery/object.ts';
import type { Logger } from '#client/logger.ts';
import type { CachedStorage, CacheEvent } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { parseObjectKey, rangePrefix } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoles,
  rootAccessBinding,
} from './bootstrap-roles.ts';
import { effectiveUsers } from './effective-users.ts';
import { type PolicyRule, type RoleRef, rbacGroup } from './policy-rule.ts';
import {
  type AbsentRole,
  bootstrapIndex,
  type Grants,
  RbacIndex,
  type RbacQuestion,
  type RbacResource,
} from './rbac-index.ts';

const rbacResources: readonly RbacResource[] = [
  'roles',
  'clusterroles',
  'rolebindings',
  'clusterrolebindings',
];
const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

const inertOpinion: AuthorizationDecision = {
  decision: 'noOpinion',
  reason: 'RBAC objects in a cell workspace grant nothing',
};

/** The reason is made when it is read, which is for the audit log and reviews: most requests' is read by nobody. */
class Allowed implements AuthorizationDecision {
  readonly decision = 'allow';
  readonly #index: RbacIndex;
  readonly #grants: Grants;
  readonly #question: RbacQuestion;

  constructor(index: RbacIndex, grants: Grants, question: RbacQuestion) {
    this.#index = index;
    this.#grants = grants;
    this.#question = question;
  }

  get reason(): string {
    return this.#index.reasonOf(this.#grants, this.#question);
  }
}

/** The reason, made when it is read, names the roles that the user is bound to and that are not there. */
class NotAllowed implements AuthorizationDecision {
  readonly decision = 'noOpinion';
  readonly #absentRoles: () => readonly AbsentRole[];

  constructor(absentRoles: () => readonly AbsentRole[]) {
    this.#absentRoles = absentRoles;
  }

  get reason(): string {
    const text = absenceText(this.#absentRoles());
    return text === '' ? '' : `RBAC: ${text}`;
  }
}

/**
 * That these roles are not there; empty when none is missing. `resource`: what the registry that looks them up names instead
 * of their kind. Several texts as k8s.io/apimachinery/pkg/util/errors has them in an Aggregate.
 */
export function absenceText(roles: readonly AbsentRole[], resource?: string): string {
  const texts = new Set(
    roles.map(({ kind, name }) => `${resource ?? kind}.${rbacGroup} ${JSON.stringify(name)} not found`),
  );
  const all = [...texts].join(', ');
  return texts.size > 1 ? `[${all}]` : all;
}

export interface RbacLimits {
  /** Workspaces whose RBAC is kept indexed; the one not asked about for the longest goes first. */
  readonly indexesMax: number;
  /** Roles and bindings in all indexes together; the same order. One workspace may exceed it alone. */
  readonly indexedObjectsMax: number;
}

export const defaultRbacLimits: RbacLimits = { indexesMax: 10_000, indexedObjectsMax: 1_000_000 };

interface WorkspaceIndex {
  readonly index: RbacIndex;
  /** It stores a role or binding under a bootstrap name: the shared policy is then part of the index itself. */
  readonly overridesShared: boolean;
  /** Events up to here are in it already. */
  readonly revision: Revision;
}

/**
 * RBAC (KUBERNETES.md U4) over what workspaces store and the bootstrap policy that they share. A workspace is indexed
 * at its first question and kept current by one watch for each of the four resources over all workspaces.
 *
 * RBAC objects in a cell workspace never act (DESIGN.md, Cell workspaces are warehouses).
 */
export class RbacAuthorizer implements Authorizer {
  readonly #cache: CachedStorage;
  readonly #logger: Logger;
  readonly #limits: RbacLimits;
  readonly #shared = bootstrapIndex();
  readonly #sharedRoot = bootstrapIndex([...bootstrapClusterRoleBindings, rootAccessBinding]);
  readonly #sharedRoleNames = new Set(bootstrapClusterRoles.map((role) => role.metadata.name));
  readonly #sharedBindingNames = new Set(
    [...bootstrapClusterRoleBindings, rootAccessBinding].map((binding) => binding.metadata.name),
  );
  /** In order of last use. */
  readonly #indexes = new Map<string, WorkspaceIndex>();
  #indexedObjects = 0;
  #watches: { close(): void }[] = [];
  #running = false;

  constructor(cache: CachedStorage, logger: Logger, limits: RbacLimits = defaultRbacLimits) {
    this.#cache = cache;
    this.#logger = logger;
    this.#limits = limits;
  }

  /** Idempotent. Without it nothing is kept: every question reads the cache anew. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#watch();
  }

  /** Idempotent. */
  stop(): void {
    this.#running = false;
    this.#dropAll();
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const { workspace } = attributes;
    if (workspace === undefined) return noOpinion;
    if (workspace.inert) return inertOpinion;
    const decision = this.#decide(attributes, workspace);
    if (decision.decision === 'allow') return decision;
    // A grant may have been written through another server: before it is denied, the cache has to be fresh.
    const fresh = this.#cache.awaitFresh();
    return fresh === undefined ? decision : fresh.then(() => this.#decide(attributes, workspace));
  }

  /** Every rule that the user holds in the workspace and namespace ('' = the cluster-wide ones). */
  rulesFor(user: UserInfo, workspace: Workspace, namespace: string): PolicyRule[] {
    if (workspace.inert) return [];
    const { index, overridesShared } = this.#indexOf(workspace);
    const rules: PolicyRule[] = [];
    for (const one of effectiveUsers(workspace.id, user)) {
      if (!overridesShared) rules.push(...this.#sharedOf(workspace).rulesFor(one, namespace));
      rules.push(...index.rulesFor(one, namespace));
    }
    return rules;
  }

  /** The roles that the user is bound to in the workspace and namespace and that do not exist. */
  absentRolesFor(user: UserInfo, workspace: Workspace, namespace: string): AbsentRole[] {
    if (workspace.inert) return [];
    const { index } = this.#indexOf(workspace);
    return effectiveUsers(workspace.id, user).flatMap((one) => index.absentRolesFor(one, namespace));
  }

  /** The rules behind a roleRef in this namespace ('' for a ClusterRoleBinding); undefined when there is no such role. */
  rulesOfRoleRef(ref: RoleRef, workspace: Workspace, namespace: string): readonly PolicyRule[] | undefined {
    return this.#indexOf(workspace).index.rulesOfRoleRef(ref, namespace);
  }

  #decide(
    { user, verb, resource, path }: AuthorizationAttributes,
    workspace: Workspace,
  ): AuthorizationDecision {
    const { index, overridesShared } = this.#indexOf(workspace);
    const shared = overridesShared ? undefined : this.#sharedOf(workspace);
    const question = resource === undefined ? { verb, path } : { verb, ...resource };
    const allowing = (asked: RbacIndex, one: UserInfo): Grants | undefined =>
      'path' in question
        ? asked.allowsUrl(one, verb, path)
        : asked.allowsResource(one, question.namespace, question);
    for (const one of effectiveUsers(workspace.id, user)) {
      const byShared = shared && allowing(shared, one);
      if (shared !== undefined && byShared !== undefined) return new Allowed(shared, byShared, question);
      const granted = allowing(index, one);
      if (granted !== undefined) return new Allowed(index, granted, question);
    }
    return new NotAllowed(() => this.absentRolesFor(user, workspace, resource?.namespace ?? ''));
  }

  #sharedOf(workspace: Workspace): RbacIndex {
    return workspace.type === 'root' ? this.#sharedRoot : this.#shared;
  }

  #indexOf(workspace: Workspace): WorkspaceIndex {
    const known = this.#indexes.get(workspace.id);
    if (known !== undefined) {
      // Moved to the end only when the bound is near: most servers never reach it.
      if (
        this.#indexes.size * 2 > this.#limits.indexesMax ||
        this.#indexedObjects * 2 > this.#limits.indexedObjectsMax
      ) {
        this.#indexes.delete(workspace.id);
        this.#indexes.set(workspace.id, known);
      }
      return known;
    }
    const built = this.#build(workspace);
    if (this.#running) {
      this.#indexes.set(workspace.id, built);
      this.#indexedObjects += built.index.size;
      this.#evict();
    }
    return built;
  }

  #build(workspace: Workspace): WorkspaceIndex {
    const index = new RbacIndex([...bootstrapClusterRoles, ...bootstrapRoles]);
    const { revision } = this.#cache;
    const overridden = new Set<string>();
    let overridesShared = false;
    for (const resource of rbacResources) {
      const prefix = rangePrefix({ group: rbacGroup, resource }, workspace.id);
      for (const entry of this.#cache.snapshot(prefix).entries()) {
        const object = this.#read(entry);
        if (object === undefined) continue;
        index.put(resource, object);
        const name = object.metadata.name ?? '';
        if (this.#isShared(resource, name)) {
          overridesShared = true;
          if (resource === 'clusterrolebindings') overridden.add(name);
        }
      }
    }
    if (overridesShared) {
      const bindings =
        workspace.type === 'root'
          ? [...bootstrapClusterRoleBindings, rootAccessBinding]
          : bootstrapClusterRoleBindings;
      for (const binding of bindings) {
        if (!overridden.has(binding.metadata.name ?? '')) index.put('clusterrolebindings', binding);
      }
    }
    return { index, overridesShared, revision };
  }

  #isShared(resource: RbacResource, name: string): boolean {
    if (resource === 'clusterroles') return this.#sharedRoleNames.has(name);
    return resource === 'clusterrolebindings' && this.#sharedBindingNames.has(name);
  }

  /** A stored object that cannot be read grants nothing, and says so once. */
  #read(entry: Parameters<typeof objectOf>[0]): KubeObject | undefined {
    try {
      return objectOf(entry);
    } catch (error) {
      this.#logger.error({ key: entry.key, err: error }, 'unreadable RBAC object ignored');
      return undefined;
    }
  }

  #watch(): void {
    const after = this.#cache.revision;
    this.#watches = rbacResources.map((resource) =>
      this.#cache.watchCache(rangePrefix({ group: rbacGroup, resource }), after, {
        events: (events) => {
          for (const event of events) this.#apply(resource, event);
        },
        end: (error) => this.#watchEnded(error),
      }),
    );
  }

  #watchEnded(error: Error): void {
    if (!this.#running) return;
    this.#dropAll();
    if (isStorageError(error, 'closed')) {
      this.#running = false;
      return;
    }
    this.#logger.warn({ err: error }, 'RBAC watch ended; indexing anew');
    this.#watch();
  }

  #dropAll(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#indexes.clear();
    this.#indexedObjects = 0;
  }

  #apply(resource: RbacResource, event: CacheEvent): void {
    const { clusterId, namespace, name } = parseObjectKey(event.key);
    const known = this.#indexes.get(clusterId);
    if (known === undefined || event.revision <= known.revision) return;
    if (this.#isShared(resource, name)) {
      this.#drop(clusterId, known);
      return;
    }
    const before = known.index.size;
    const object = event.entry === undefined ? undefined : this.#read(event.entry);
    if (object === undefined) known.index.remove(resource, namespace, name);
    else known.index.put(resource, object);
    this.#indexedObjects += known.index.size - before;
    this.#evict();
  }

  #drop(clusterId: string, known: WorkspaceIndex): void {
    this.#indexes.delete(clusterId);
    this.#indexedObjects -= known.index.size;
  }

  #evict(): void {
    for (const [clusterId, known] of this.#indexes) {
      const tooMany = this.#indexes.size > this.#limits.indexesMax;
      const tooBig = this.#indexedObjects > this.#limits.indexedObjectsMax && this.#indexes.size > 1;
      if (!tooMany && !tooBig) return;
      this.#drop(clusterId, known);
    }
  }
}
