import { forbidden, notFound } from '#apimachinery/api-error.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { AuthorizationDecision, Authorizer } from './authorizer.ts';
import { isInScope } from './effective-users.ts';
import { type PolicyRule, RuleSet, rbacGroup, roleRefOf, rulesNotCovered, rulesOf } from './policy-rule.ts';
import { absenceText, type RbacAuthorizer } from './rbac.ts';

const fullAuthority: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * KUBERNETES.md U4: who writes a role must hold its permissions or may `escalate` it; who writes a binding must hold its
 * role's permissions or may `bind` it; an aggregationRule needs full authority. So it is whatever of the object is written,
 * a label too, by which it may be taken in by another role; but not for what the garbage collection writes. `system:masters`
 * passes. Objects in a cell workspace grant nothing, so there is nothing to escalate.
 *
 * Before the object is validated, as in k8s.io/kubernetes/pkg/registry/rbac/(cluster)role(binding)/policybased.
 */
export class RbacEscalationPlugin implements AdmissionPlugin {
  readonly name = 'RbacEscalation';
  readonly kinds = [{ group: rbacGroup, resource: '*' }];
  readonly looksOnly = true;
  readonly #authorizer: Authorizer;
  readonly #rbac: RbacAuthorizer;

  /** `authorizer`: the whole chain, for the verbs `escalate` and `bind`. */
  constructor(authorizer: Authorizer, rbac: RbacAuthorizer) {
    this.#authorizer = authorizer;
    this.#rbac = rbac;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { workspace, served, user, subresource } = context;
    if (served.definition.group !== rbacGroup || subresource !== '') return false;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    if (workspace === undefined || workspace.inert) return false;
    return !(user.groups.includes(systemMasters) && isInScope(workspace.id, user));
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const { object, oldObject } = attributes;
    if (object === undefined) return undefined;
    if (oldObject !== undefined && isCollectionOnly(object, oldObject)) return undefined;
    const { resource } = attributes.context.served.definition;
    return resource === 'roles' || resource === 'clusterroles'
      ? this.#checkRole(attributes, object)
      : this.#checkBinding(attributes, object);
  }

  #checkRole(attributes: AdmissionAttributes, role: KubeObject): Promise<void> | undefined {
    const { context, oldObject } = attributes;
    const { definition } = context.served;
    // The name in the path: there is none yet of what is created.
    const name = context.info.resource?.name ?? '';
    return this.#unlessAllowed(attributes, { verb: 'escalate', resource: definition.resource, name }, () => {
      const missing = this.#missing(attributes, rulesOf(role));
      const refuse = (why: string) => forbidden(definition, role.metadata.name ?? '', why);
      if (missing.length > 0) throw refuse(this.#grantText(attributes, missing));
      if (!aggregates(role) && !(oldObject !== undefined && aggregates(oldObject))) return;
      if (this.#missing(attributes, fullAuthority).length === 0) return;
      throw refuse('must have cluster-admin privileges to use the aggregationRule');
    });
  }

  #checkBinding(attributes: AdmissionAttributes, binding: KubeObject): Promise<void> | undefined {
    const ref = roleRefOf(binding);
    // Validation has its say about a binding without one.
    if (ref === undefined) return undefined;
    const resource = ref.kind === 'Role' ? 'roles' : 'clusterroles';
    const { workspace, namespace, served } = attributes.context;
    return this.#unlessAllowed(attributes, { verb: 'bind', resource, name: ref.name }, () => {
      const wanted = this.#rbac.rulesOfRoleRef(ref, workspace!, namespace);
      // Told of the binding, as it is by Kubernetes, whose registry of bindings looks the role up.
      if (wanted === undefined) throw notFound(served.definition, ref.name);
      const missing = this.#missing(attributes, wanted);
      if (missing.length > 0) {
        const why = this.#grantText(attributes, missing);
        throw forbidden(served.definition, binding.metadata.name ?? '', why);
      }
    });
  }

  #missing({ context }: AdmissionAttributes, wanted: readonly PolicyRule[]): PolicyRule[] {
    const held = new RuleSet(this.#rbac.rulesFor(context.user, context.workspace!, context.namespace));
    return rulesNotCovered(wanted, held);
  }

  #grantText({ context }: AdmissionAttributes, missing: readonly PolicyRule[]): string {
    const { user, workspace, namespace, served } = context;
    const absent = this.#rbac.absentRolesFor(user, workspace!, namespace);
    const unresolved = absenceText(absent, served.definition.resource);
    return `${grantText(user, missing)}${unresolved === '' ? '' : `; resolution errors: [${unresolved}]`}`;
  }

  /** Runs `check` unless the user holds this verb on the role. */
  #unlessAllowed(
    { context }: AdmissionAttributes,
    asked: { readonly verb: 'escalate' | 'bind'; readonly resource: string; readonly name: string },
    check: () => void,
  ): Promise<void> | undefined {
    const { served, user, workspace, namespace, info } = context;
    const decision = this.#authorizer.authorize({
      user,
      workspace,
      verb: asked.verb,
      resource: {
        group: rbacGroup,
        version: served.version.version,
        resource: asked.resource,
        subresource: '',
        namespace,
        name: asked.name,
      },
      path: info.path,
    });
    const conclude = ({ decision: outcome }: AuthorizationDecision): void => {
      if (outcome !== 'allow') check();
    };
    if (decision instanceof Promise) return decision.then(conclude);
    conclude(decision);
    return undefined;
  }
}

/** What the garbage collection and storage write (k8s.io/kubernetes/pkg/registry/rbac IsOnlyMutatingGCFields). */
const collectionFields = [
  'ownerReferences',
  'finalizers',
  'selfLink',
  'managedFields',
  'resourceVersion',
] as const;

function isCollectionOnly(object: KubeObject, old: KubeObject): boolean {
  return equalJson(withoutCollection(object), withoutCollection(old));
}

function withoutCollection({ metadata, ...rest }: KubeObject): JsonObject {
  const kept: JsonObject = { ...metadata };
  for (const field of collectionFields) delete kept[field];
  return { ...rest, metadata: kept } as JsonObject;
}

function aggregates(role: KubeObject): boolean {
  const rule = role['aggregationRule'];
  const selectors = isJsonObject(rule) ? rule['clusterRoleSelectors'] : undefined;
  return Array.isArray(selectors) && selectors.length > 0;
}

/** Lines of a refusal: more would tell nobody more. */
const grantLinesMax = 200;

function grantText(user: UserInfo, missing: readonly PolicyRule[]): string {
  const lines = [...new Set(missing.map(ruleText))].sort();
  const shown = lines.slice(0, grantLinesMax).join('\n');
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ');
  return (
    `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions ` +
    `not currently held:\n${shown}${lines.length > grantLinesMax ? '\n…' : ''}`
  );
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}` */
function ruleText(rule: PolicyRule): string {
  const parts: string[] = [];
  const add = (label: string, values: readonly string[] | undefined): void => {
    if (values === undefined || values.length === 0) return;
    const shown = values.slice(0, ruleTextValuesMax).map((value) => JSON.stringify(value));
    parts.push(`${label}:[${shown.join(' ')}${values.length > ruleTextValuesMax ? ' …' : ''}]`);
  };
  add('APIGroups', rule.apiGroups);
  add('Resources', rule.resources);
  add('NonResourceURLs', rule.nonResourceURLs);
  add('ResourceNames', rule.resourceNames);
  add('Verbs', rule.verbs);
  return `{${parts.join(', ')}}`;
}

const ruleTextValuesMax = 20;
