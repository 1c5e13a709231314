import { copyLabels } from '#api/federation/copy-contract.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { NameMapper } from './names.ts';

/** What reference rules may ask about the project and the cell; never what else is propagated (DESIGN.md, Names). */
export interface ReferenceContext {
  readonly mapper: NameMapper;
  /** Whether the project has an object of this cluster-scoped kind. */
  owns(group: string, resource: string, name: string): boolean;
  /** ClusterRoles of the edge that `Cell.spec.allow.clusterRoles` lets a roleRef name. */
  allowsClusterRole(name: string): boolean;
  /** Tells that the object may not go to this cell. */
  refuse(message: string): void;
}

/** Rewrites one value; undefined removes it. */
export type ReferenceRewrite = (
  value: JsonValue,
  context: ReferenceContext,
  parent: JsonObject | JsonValue[],
) => JsonValue | undefined;

export const namespaceName: ReferenceRewrite = (value, { mapper }) =>
  typeof value === 'string' && value !== '' ? mapper.namespace(value) : value;

/** A cluster-scoped name that a project may own: mapped whether or not it does. */
export const clusterScopedName =
  (group: string, resource: string): ReferenceRewrite =>
  (value, { mapper }) =>
    typeof value === 'string' && value !== '' ? mapper.clusterScoped(group, resource, value) : value;

/** A platform class: the project's where it has one of that name, else the edge's. */
export const className =
  (group: string, resource: string): ReferenceRewrite =>
  (value, context) => {
    if (typeof value !== 'string' || value === '') return value;
    return context.owns(group, resource, value)
      ? context.mapper.clusterScoped(group, resource, value)
      : value;
  };

/** Only where a field beside it has this value. */
export const where =
  (field: string, expected: string, rewrite: ReferenceRewrite): ReferenceRewrite =>
  (value, context, parent) =>
    isJsonObject(parent) && parent[field] === expected ? rewrite(value, context, parent) : value;

export const drop: ReferenceRewrite = () => undefined;

/** The labels that every mapped namespace of the project carries, and no other project's. */
function projectLabels({ mapper: { identity } }: ReferenceContext): { [key: string]: string } {
  return {
    [copyLabels.originCluster]: identity.clusterId,
    [copyLabels.originControlPlane]: identity.controlPlaneId,
  };
}

/** A namespace selector sees the project's namespaces alone, and their real names as the project knows them. */
export const namespaceSelector: ReferenceRewrite = (value, context) => {
  if (!isJsonObject(value)) return value;
  const matchLabels: JsonObject = {};
  const source = isJsonObject(value['matchLabels']) ? value['matchLabels'] : {};
  for (const key in source) matchLabels[key] = mapLabelValue(key, source[key], context);
  const selector: JsonObject = { ...value, matchLabels: { ...matchLabels, ...projectLabels(context) } };
  const expressions = value['matchExpressions'];
  if (Array.isArray(expressions)) {
    selector['matchExpressions'] = expressions.map((expression) => {
      if (!isJsonObject(expression) || !Array.isArray(expression['values'])) return expression;
      const key = String(expression['key'] ?? '');
      return {
        ...expression,
        values: expression['values'].map((one) => mapLabelValue(key, one, context) as JsonValue),
      };
    });
  }
  return selector;
};

/** `kubernetes.io/metadata.name` is the namespace's name, which is another at the edge. */
function mapLabelValue(
  key: string,
  value: JsonValue | undefined,
  { mapper }: ReferenceContext,
): JsonValue | undefined {
  return key === 'kubernetes.io/metadata.name' && typeof value === 'string' ? mapper.namespace(value) : value;
}

/** Webhook and policy configurations: confined to the project's namespaces, and to what lies in namespaces. */
export const confine =
  (rulesField: string): ReferenceRewrite =>
  (value, context) => {
    if (!isJsonObject(value)) return value;
    const confined: JsonObject = {
      ...value,
      namespaceSelector: namespaceSelector(value['namespaceSelector'] ?? {}, context, value) as JsonValue,
    };
    const rules = value[rulesField];
    if (Array.isArray(rules)) {
      confined[rulesField] = rules.map((rule) =>
        isJsonObject(rule) ? { ...rule, scope: 'Namespaced' } : rule,
      );
    }
    return confined;
  };

/** Gateway API: which routes may attach. `All` means all of the project. */
export const allowedRoutes: ReferenceRewrite = (value, context) => {
  if (!isJsonObject(value)) return value;
  const from = value['from'];
  if (from !== 'All' && from !== 'Selector') return value;
  const selector = from === 'Selector' ? (value['selector'] ?? {}) : {};
  return { ...value, from: 'Selector', selector: namespaceSelector(selector, context, value) as JsonValue };
};

/** A ClusterRole of the project, or one of the edge that the cell lists; no other (DESIGN.md, Names). */
export const roleRef: ReferenceRewrite = (value, context) => {
  if (!isJsonObject(value) || value['kind'] !== 'ClusterRole' || typeof value['name'] !== 'string')
    return value;
  const { name } = value;
  const group = 'rbac.authorization.k8s.io';
  if (context.owns(group, 'clusterroles', name)) {
    return { ...value, name: context.mapper.clusterScoped(group, 'clusterroles', name) };
  }
  if (!context.allowsClusterRole(name)) {
    context.refuse(
      `roleRef: ClusterRole ${JSON.stringify(name)} is neither the project's nor one that the cell lets in (spec.allow.clusterRoles)`,
    );
  }
  return value;
};

/** Service accounts as RBAC and flow control name them, in all three ways. */
export const subject: ReferenceRewrite = (value, context) => {
  if (!isJsonObject(value)) return value;
  const { kind, name, namespace } = value;
  if (kind === 'ServiceAccount' && typeof namespace === 'string') {
    return { ...value, namespace: context.mapper.namespace(namespace) };
  }
  if (typeof name !== 'string') return value;
  if (kind === 'User') {
    const [, system, inNamespace, account] = /^(system:serviceaccount:)([^:]+):(.+)$/.exec(name) ?? [];
    if (system !== undefined && inNamespace !== undefined) {
      return { ...value, name: `${system}${context.mapper.namespace(inNamespace)}:${account}` };
    }
  }
  if (kind === 'Group') {
    const [, system, inNamespace] = /^(system:serviceaccounts:)(.+)$/.exec(name) ?? [];
    if (system !== undefined && inNamespace !== undefined) {
      return { ...value, name: `${system}${context.mapper.namespace(inNamespace)}` };
    }
    if (name === 'system:serviceaccounts') {
      context.refuse('subjects: the group system:serviceaccounts would reach beyond the project');
    }
  }
  return value;
};

/** Aggregation sees the project's ClusterRoles alone. */
export const clusterRoleSelector: ReferenceRewrite = (value, context) => {
  if (!isJsonObject(value)) return value;
  const matchLabels = isJsonObject(value['matchLabels']) ? value['matchLabels'] : {};
  return { ...value, matchLabels: { ...matchLabels, ...projectLabels(context) } };
};
