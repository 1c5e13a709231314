import { forbidden, notFound } from '#apimachinery/api-error.ts';
import { equalJson, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { AuthorizationDecision, Authorizer } from './authorizer.ts';
import { isInScope } from './effective-users.ts';
import { type PolicyRule, RuleSet, rbacGroup, roleRefOf, rulesNotCovered, rulesOf } from './policy-rule.ts';
import type { RbacAuthorizer } from './rbac.ts';

const fullAuthority: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * KUBERNETES.md U4: who makes or widens a role must hold its permissions or may `escalate` it; who binds a role must
 * hold its permissions or may `bind` it; an aggregationRule needs full authority. `system:masters` passes. Objects in a
 * cell workspace grant nothing, so there is nothing to escalate.
 */
export class RbacEscalationPlugin implements AdmissionPlugin {
  readonly name = 'RbacEscalation';
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

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const { object } = attributes;
    if (object === undefined) return undefined;
    const { resource } = attributes.context.served.definition;
    return resource === 'roles' || resource === 'clusterroles'
      ? this.#checkRole(attributes, object)
      : this.#checkBinding(attributes, object);
  }

  #checkRole(attributes: AdmissionAttributes, role: KubeObject): Promise<void> | undefined {
    const old = attributes.oldObject;
    if (old !== undefined && sameFields(old, role, ['rules', 'aggregationRule'])) return undefined;
    const { resource } = attributes.context.served.definition;
    return this.#unlessAllowed(
      attributes,
      { verb: 'escalate', resource, name: role.metadata.name ?? '' },
      () => {
        const wanted = role['aggregationRule'] == null ? rulesOf(role) : fullAuthority;
        const missing = this.#missing(attributes, wanted);
        if (missing.length === 0) return;
        const why =
          wanted === fullAuthority
            ? 'must have cluster-admin privileges to use an aggregationRule'
            : grantText(attributes.context.user, missing);
        throw forbidden(attributes.context.served.definition, role.metadata.name ?? '', why);
      },
    );
  }

  #checkBinding(attributes: AdmissionAttributes, binding: KubeObject): Promise<void> | undefined {
    const old = attributes.oldObject;
    if (old !== undefined && sameFields(old, binding, ['subjects', 'roleRef'])) return undefined;
    const ref = roleRefOf(binding);
    // Validation has its say about a binding without one.
    if (ref === undefined) return undefined;
    const resource = ref.kind === 'Role' ? 'roles' : 'clusterroles';
    const { workspace, namespace, served, user } = attributes.context;
    return this.#unlessAllowed(attributes, { verb: 'bind', resource, name: ref.name }, () => {
      const wanted = this.#rbac.rulesOfRoleRef(ref, workspace!, namespace);
      // Told of the binding, as it is by Kubernetes, whose registry of bindings looks the role up.
      if (wanted === undefined) throw notFound(served.definition, ref.name);
      const missing = this.#missing(attributes, wanted);
      if (missing.length > 0) {
        throw forbidden(served.definition, binding.metadata.name ?? '', grantText(user, missing));
      }
    });
  }

  #missing({ context }: AdmissionAttributes, wanted: readonly PolicyRule[]): PolicyRule[] {
    const held = new RuleSet(this.#rbac.rulesFor(context.user, context.workspace!, context.namespace));
    return rulesNotCovered(wanted, held);
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

function sameFields(a: KubeObject, b: KubeObject, fields: readonly string[]): boolean {
  return fields.every((field) =>
    equalJson(a[field] as JsonValue | undefined, b[field] as JsonValue | undefined),
  );
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
