import type { KubeObject } from '#apimachinery/object.ts';
import type { UserInfo } from '../request/user.ts';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles, bootstrapRoles } from './bootstrap-roles.ts';
import { serviceAccountUserPrefix } from './effective-users.ts';
import { getOrMake } from './get-or-make.ts';
import {
  type PolicyRule,
  type ResourceQuestion,
  type RoleRef,
  RuleSet,
  roleRefOf,
  rulesOf,
  type Subject,
  subjectsOf,
} from './policy-rule.ts';

/** A role as bindings name it: `c/<name>` for a ClusterRole, `r/<namespace>/<name>` for a Role. */
type RoleKey = string;

/** A binding as it is kept: `<name>`, with its namespace in front where it has one. */
type BindingKey = string;

/** What one subject holds in one namespace ('' = everywhere): roles, and their rules compiled when first asked for. */
export class Grants {
  /** A user's name (a service account is the user that it authenticates as), or a group's. */
  readonly subject: string;
  /** Role → the bindings that give it. */
  readonly roles = new Map<RoleKey, BindingKey[]>();
  compiled: RuleSet | undefined;

  constructor(subject: string) {
    this.subject = subject;
  }
}

/** All that one user or group is bound to. */
class SubjectGrants {
  readonly everywhere: Grants;
  readonly byNamespace = new Map<string, Grants>();

  constructor(subject: string) {
    this.everywhere = new Grants(subject);
  }
}

/** What rules are asked: about a resource, or about another path. */
export type RbacQuestion = ResourceQuestion | { readonly verb: string; readonly path: string };

/** Bound and not there. */
export interface AbsentRole {
  readonly kind: 'role' | 'clusterrole';
  readonly name: string;
}

export type RbacResource = 'roles' | 'clusterroles' | 'rolebindings' | 'clusterrolebindings';

/**
 * One workspace's RBAC, indexed by subject: a question costs a few map look-ups for the user and each of its groups,
 * however many bindings there are. Changed in place by `put` and `remove`; only what a change touches is compiled anew.
 */
export class RbacIndex {
  readonly #users = new Map<string, SubjectGrants>();
  readonly #groups = new Map<string, SubjectGrants>();
  readonly #roles = new Map<RoleKey, KubeObject>();
  /** Binding → the object that was counted, so that it can be taken back. */
  readonly #bindings = new Map<string, KubeObject>();
  /** Role → who holds it, to drop what was compiled when the role changes. */
  readonly #holders = new Map<RoleKey, Set<Grants>>();
  readonly #shared: ReadonlyMap<string, KubeObject>;
  readonly #aggregatedShared: ReadonlySet<RoleKey>;

  /** `sharedRoles`: Roles and ClusterRoles that hold where the workspace stores none of that name. */
  constructor(sharedRoles: readonly KubeObject[] = []) {
    this.#shared = new Map(sharedRoles.map((role) => [sharedKeyOf(role), role]));
    const aggregated = sharedRoles.filter((role) => role['aggregationRule'] !== undefined);
    this.#aggregatedShared = new Set(aggregated.map((role) => `c/${role.metadata.name}`));
  }

  /** Objects held: the measure for how much memory the index takes. */
  get size(): number {
    return this.#roles.size + this.#bindings.size;
  }

  put(resource: RbacResource, whole: KubeObject): void {
    const object = slimmed(whole);
    const { name = '', namespace = '' } = object.metadata;
    if (resource === 'roles' || resource === 'clusterroles') {
      const key = resource === 'roles' ? `r/${namespace}/${name}` : `c/${name}`;
      this.#roles.set(key, object);
      this.#roleChanged(key);
    } else {
      const key = resource === 'rolebindings' ? `${namespace}/${name}` : name;
      const old = this.#bindings.get(key);
      if (old !== undefined) this.#count(key, old, -1);
      this.#bindings.set(key, object);
      this.#count(key, object, 1);
    }
  }

  remove(resource: RbacResource, namespace: string, name: string): void {
    if (resource === 'roles' || resource === 'clusterroles') {
      const key = resource === 'roles' ? `r/${namespace}/${name}` : `c/${name}`;
      if (this.#roles.delete(key)) this.#roleChanged(key);
    } else {
      const key = resource === 'rolebindings' ? `${namespace}/${name}` : name;
      const old = this.#bindings.get(key);
      if (old !== undefined) this.#count(key, old, -1);
      this.#bindings.delete(key);
    }
  }

  /** What lets the user do this, or undefined. `namespace` is '' for cluster-scoped requests. */
  allowsResource(user: UserInfo, namespace: string, question: ResourceQuestion): Grants | undefined {
    const own = this.#users.get(user.name);
    const granted = own && this.#allowing(own, namespace, question);
    if (granted !== undefined) return granted;
    for (const group of user.groups) {
      const held = this.#groups.get(group);
      const allowing = held && this.#allowing(held, namespace, question);
      if (allowing !== undefined) return allowing;
    }
    return undefined;
  }

  allowsUrl(user: UserInfo, verb: string, path: string): Grants | undefined {
    const own = this.#users.get(user.name)?.everywhere;
    if (own !== undefined && this.#compiled(own).allowsUrl(verb, path)) return own;
    for (const group of user.groups) {
      const held = this.#groups.get(group)?.everywhere;
      if (held !== undefined && this.#compiled(held).allowsUrl(verb, path)) return held;
    }
    return undefined;
  }

  /**
   * Which binding of which role it was, in the words of k8s.io/kubernetes' rbac.RBACAuthorizer. To be asked at once: of
   * what has changed since, the subject alone is told.
   */
  reasonOf({ subject, roles }: Grants, question: RbacQuestion): string {
    for (const [role, bindings] of roles) {
      const rules = new RuleSet(this.#rulesOfRole(role));
      const allows =
        'path' in question ? rules.allowsUrl(question.verb, question.path) : rules.allowsResource(question);
      const binding = allows ? this.#bindings.get(bindings[0] ?? '') : undefined;
      if (binding !== undefined) return `RBAC: allowed by ${describe(binding, subject)}`;
    }
    return `RBAC: allowed to ${JSON.stringify(subject)}`;
  }

  /**
   * Every rule that the user holds in this namespace ('' = cluster-wide ones only), binding by binding: once each, whichever
   * and however many of its subjects the user is. Those of the cluster first, each kind by name.
   */
  rulesFor(user: UserInfo, namespace: string): PolicyRule[] {
    return this.#rolesFor(user, namespace).flatMap((role) => this.#rulesOfRole(role));
  }

  /** The roles that the user is bound to in this namespace and that do not exist. */
  absentRolesFor(user: UserInfo, namespace: string): AbsentRole[] {
    return this.#rolesFor(user, namespace)
      .filter((role) => !this.#exists(role))
      .map((role) => ({
        kind: role.startsWith('r/') ? 'role' : 'clusterrole',
        name: role.slice(role.lastIndexOf('/') + 1),
      }));
  }

  #rolesFor(user: UserInfo, namespace: string): RoleKey[] {
    const everywhere = new Map<BindingKey, RoleKey>();
    const inNamespace = new Map<BindingKey, RoleKey>();
    const subjects = [this.#users.get(user.name), ...user.groups.map((group) => this.#groups.get(group))];
    for (const subject of subjects) {
      addBindings(everywhere, subject?.everywhere);
      if (namespace !== '') addBindings(inNamespace, subject?.byNamespace.get(namespace));
    }
    return [...inOrder(everywhere), ...inOrder(inNamespace)];
  }

  #exists(role: RoleKey): boolean {
    return this.#roles.has(role) || this.#shared.has(role);
  }

  /** The rules that a binding in this namespace would give, or undefined when there is no such role. */
  rulesOfRoleRef(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const key = roleKeyOf(ref, namespace);
    return this.#exists(key) ? this.#rulesOfRole(key) : undefined;
  }

  #allowing(
    { everywhere, byNamespace }: SubjectGrants,
    namespace: string,
    question: ResourceQuestion,
  ): Grants | undefined {
    if (this.#compiled(everywhere).allowsResource(question)) return everywhere;
    const grants = namespace === '' ? undefined : byNamespace.get(namespace);
    return grants !== undefined && this.#compiled(grants).allowsResource(question) ? grants : undefined;
  }

  #compiled(grants: Grants): RuleSet {
    if (grants.compiled === undefined) {
      grants.compiled = new RuleSet();
      for (const role of grants.roles.keys()) {
        for (const rule of this.#rulesOfRole(role)) grants.compiled.add(rule);
      }
    }
    return grants.compiled;
  }

  #rulesOfRole(key: RoleKey): readonly PolicyRule[] {
    const stored = this.#roles.get(key);
    if (stored !== undefined) return rulesOf(stored);
    const shared = this.#shared.get(key);
    if (shared === undefined) return [];
    return this.#aggregatedShared.has(key) ? this.#aggregate(shared) : rulesOf(shared);
  }

  /**
   * A shared aggregated role (admin, edit, view) with the workspace's own ClusterRoles that bear its label. What the
   * shared roles give it is already in its rules. admin takes in edit's label too, and edit view's, because the one
   * role bears the label of the next.
   */
  #aggregate(role: KubeObject): PolicyRule[] {
    const rules = rulesOf(role);
    const wanted = aggregationLabels[role.metadata.name ?? ''] ?? [];
    for (const [key, stored] of this.#roles) {
      if (!key.startsWith('c/')) continue;
      const { labels } = stored.metadata;
      if (labels !== undefined && wanted.some((label) => labels[label] === 'true'))
        rules.push(...rulesOf(stored));
    }
    return rules;
  }

  #roleChanged(key: RoleKey): void {
    this.#dropCompiled(key);
    // Its labels may have come or gone: the shared roles that aggregate are compiled anew.
    if (key.startsWith('c/')) for (const aggregated of this.#aggregatedShared) this.#dropCompiled(aggregated);
  }

  #dropCompiled(key: RoleKey): void {
    const holders = this.#holders.get(key);
    if (holders !== undefined) for (const grants of holders) grants.compiled = undefined;
  }

  /** Adds a binding's grants to its subjects (by = 1) or takes them back (by = -1). */
  #count(bindingKey: BindingKey, binding: KubeObject, by: 1 | -1): void {
    const ref = roleRefOf(binding);
    if (ref === undefined) return;
    const namespace = binding.metadata.namespace ?? '';
    const key = roleKeyOf(ref, namespace);
    for (const subject of subjectsOf(binding)) {
      const found = this.#subject(subject, namespace, by === 1);
      if (found === undefined) continue;
      const grants =
        namespace === ''
          ? found.everywhere
          : getOrMake(found.byNamespace, namespace, () => new Grants(found.everywhere.subject));
      const bindings = getOrMake(grants.roles, key, () => []);
      if (by === 1) bindings.push(bindingKey);
      else {
        const at = bindings.indexOf(bindingKey);
        if (at !== -1) bindings.splice(at, 1);
      }
      if (bindings.length === 0) grants.roles.delete(key);
      grants.compiled = undefined;
      this.#hold(key, grants, bindings.length > 0);
      if (by === -1) this.#prune(subject, found, namespace, grants);
    }
  }

  #hold(key: RoleKey, grants: Grants, held: boolean): void {
    if (held) {
      getOrMake(this.#holders, key, () => new Set<Grants>()).add(grants);
      return;
    }
    const holders = this.#holders.get(key);
    if (holders?.delete(grants) && holders.size === 0) {
      this.#holders.delete(key);
    }
  }

  #subject(subject: Subject, namespace: string, make: boolean): SubjectGrants | undefined {
    const where = this.#mapFor(subject);
    const name = subjectName(subject, namespace);
    if (where === undefined || name === undefined) return undefined;
    if (!make) return where.get(name);
    return getOrMake(where, name, () => new SubjectGrants(name));
  }

  #mapFor(subject: Subject): Map<string, SubjectGrants> | undefined {
    if (subject.kind === 'Group') return this.#groups;
    return subject.kind === 'User' || subject.kind === 'ServiceAccount' ? this.#users : undefined;
  }

  /** Empty entries go, so that the index holds only what the workspace holds. */
  #prune(subject: Subject, found: SubjectGrants, namespace: string, grants: Grants): void {
    if (namespace !== '' && grants.roles.size === 0) found.byNamespace.delete(namespace);
    if (found.everywhere.roles.size > 0 || found.byNamespace.size > 0) return;
    const name = subjectName(subject, namespace);
    if (name !== undefined) this.#mapFor(subject)?.delete(name);
  }
}

/** Which labels' bearers each shared aggregated role takes in. */
const aggregationLabels: { readonly [role: string]: readonly string[] } = {
  admin: ['admin', 'edit', 'view'].map(aggregateLabelOf),
  edit: ['edit', 'view'].map(aggregateLabelOf),
  view: ['view'].map(aggregateLabelOf),
};

function aggregateLabelOf(role: string): string {
  return `rbac.authorization.k8s.io/aggregate-to-${role}`;
}

/** Only what authorization reads: managedFields and the like would outweigh it many times. */
function slimmed({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const { name, namespace, labels } = metadata;
  return {
    ...rest,
    apiVersion,
    kind,
    metadata: { ...(name && { name }), ...(namespace && { namespace }), ...(labels && { labels }) },
  };
}

function roleKeyOf(ref: RoleRef, namespace: string): RoleKey {
  return ref.kind === 'Role' ? `r/${namespace}/${ref.name}` : `c/${ref.name}`;
}

function addBindings(to: Map<BindingKey, RoleKey>, grants: Grants | undefined): void {
  for (const [role, bindings] of grants?.roles ?? []) for (const binding of bindings) to.set(binding, role);
}

function inOrder(bound: ReadonlyMap<BindingKey, RoleKey>): RoleKey[] {
  return [...bound].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, role]) => role);
}

function sharedKeyOf({ kind, metadata }: KubeObject): RoleKey {
  return kind === 'Role' ? `r/${metadata.namespace}/${metadata.name}` : `c/${metadata.name}`;
}

/** A service account is the user that it authenticates as; without a namespace it lies in the binding's. */
function subjectName(subject: Subject, bindingNamespace: string): string | undefined {
  if (subject.kind !== 'ServiceAccount') return subject.name;
  const namespace = subject.namespace || bindingNamespace;
  return namespace === '' ? undefined : `${serviceAccountUserPrefix}${namespace}:${subject.name}`;
}

/** `RoleBinding "name/namespace" of Role "name" to User "name"`. */
function describe(binding: KubeObject, holder: string): string {
  const { name = '', namespace = '' } = binding.metadata;
  const quoted = (text: string, where: string) => JSON.stringify(where === '' ? text : `${text}/${where}`);
  const ref = roleRefOf(binding);
  const subject = subjectsOf(binding).find((one) => subjectName(one, namespace) === holder);
  const accountNamespace = subject?.kind === 'ServiceAccount' ? subject.namespace || namespace : '';
  return (
    `${namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding'} ${quoted(name, namespace)} ` +
    `of ${ref?.kind} ${quoted(ref?.name ?? '', '')} ` +
    `to ${subject?.kind} ${quoted(subject?.name ?? holder, accountNamespace)}`
  );
}

/** The bootstrap policy alone: what every workspace starts from. */
export function bootstrapIndex(bindings: readonly KubeObject[] = bootstrapClusterRoleBindings): RbacIndex {
  const index = new RbacIndex([...bootstrapClusterRoles, ...bootstrapRoles]);
  for (const binding of bindings) index.put('clusterrolebindings', binding);
  return index;
}
