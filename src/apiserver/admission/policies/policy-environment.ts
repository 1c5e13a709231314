import { declOf, objectOf } from '#apimachinery/cel/decl.ts';
import { type CelEnvironment, kubernetesEnvironment, type Variable } from '#apimachinery/cel/environment.ts';
import { kubernetesFunctions } from '#apimachinery/cel/functions/libraries.ts';
import { type CelType, type Decl, type DeclField, dynType } from '#apimachinery/cel/types.ts';
import {
  dynDecl as dyn,
  flagDecl as flag,
  mapDecl,
  objectDecl,
  textDecl as text,
  textsDecl as texts,
} from '../../cel-declarations.ts';
import { authorizerFunctions, authorizerType, requestResourceType } from './cel-authorizer.ts';

const functions = kubernetesFunctions.with(authorizerFunctions());

const timestamp = declOf({ type: 'string', validation: { format: 'date-time' } }, false) ?? dyn;

const kind = objectDecl('kubernetes.GroupVersionKind', { group: text, version: text, kind: text });
const resource = objectDecl('kubernetes.GroupVersionResource', {
  group: text,
  version: text,
  resource: text,
});

/** The variable `request`: AdmissionRequest v1 without its objects. */
export const requestDecl: Decl = objectDecl('kubernetes.AdmissionRequest', {
  kind,
  resource,
  subResource: text,
  requestKind: kind,
  requestResource: resource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: objectDecl('kubernetes.UserInfo', {
    username: text,
    uid: text,
    groups: texts,
    extra: mapDecl(texts),
  }),
  dryRun: flag,
  options: dyn,
});

/** The variable `namespaceObject`: what Kubernetes shows of a Namespace. */
export const namespaceDecl: Decl = objectDecl('kubernetes.Namespace', {
  metadata: objectDecl('kubernetes.NamespaceMetadata', {
    name: text,
    generateName: text,
    namespace: text,
    labels: mapDecl(text),
    annotations: mapDecl(text),
    UID: text,
    creationTimestamp: timestamp,
    deletionGracePeriodSeconds: dyn,
    deletionTimestamp: timestamp,
    generation: dyn,
    resourceVersion: text,
    finalizers: texts,
  }),
  spec: objectDecl('kubernetes.NamespaceSpec', { finalizers: texts }),
  status: objectDecl('kubernetes.NamespaceStatus', { phase: text }),
});

/** What is known of objects when an expression is checked against one kind. */
export interface TypedVariables {
  readonly object: Decl;
  readonly params?: Decl | undefined;
}

/** Which variables an expression may use. */
export interface PolicyVariables {
  readonly params: boolean;
  readonly namespaceObject: boolean;
  readonly authorizer: boolean;
  /** Types of the policy's own variables that come before. */
  readonly own?: ReadonlyMap<string, CelType> | undefined;
  readonly typed?: TypedVariables | undefined;
}

/** The environment of an admission expression; without `typed`, `object` and the like are of any type, as Kubernetes has them. */
export function policyEnvironment(uses: PolicyVariables, more: Partial<CelEnvironment> = {}): CelEnvironment {
  const variables = new Map<string, Variable>([
    ['object', variableOf(uses.typed?.object)],
    ['oldObject', variableOf(uses.typed?.object)],
    ['request', { type: requestDecl.type, decl: requestDecl }],
  ]);
  if (uses.params) variables.set('params', variableOf(uses.typed?.params));
  if (uses.namespaceObject)
    variables.set('namespaceObject', { type: namespaceDecl.type, decl: namespaceDecl });
  if (uses.authorizer) {
    variables.set('authorizer', { type: authorizerType });
    variables.set('authorizer.requestResource', { type: requestResourceType });
  }
  if (uses.own !== undefined) {
    const fields = new Map<string, DeclField>();
    for (const [name, type] of uses.own) fields.set(name, { jsonName: name, decl: { ...dyn, type } });
    variables.set('variables', { type: objectOf('kubernetes.variables', fields).type });
  }
  return kubernetesEnvironment(variables, { functions, ...more });
}

function variableOf(decl: Decl | undefined): Variable {
  return decl === undefined ? { type: dynType } : { type: decl.type, decl };
}
