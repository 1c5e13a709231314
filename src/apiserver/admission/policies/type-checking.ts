import { textAt, textsAt } from '#api/builtin/read.ts';
import { declOf } from '#apimachinery/cel/decl.ts';
import type { CelType, Decl } from '#apimachinery/cel/types.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { asObject, asObjects, asText, type JsonObject } from '#apimachinery/json.ts';
import type { Scheme, ServedResource } from '#apimachinery/scheme.ts';
import { compileVariables, type Expression, expressionOf } from './expressions.ts';
import { policyEnvironment, type TypedVariables } from './policy-environment.ts';

/** admissionregistration/v1 ExpressionWarning. */
export interface ExpressionWarning extends JsonObject {
  fieldRef: string;
  warning: string;
}

/** Kinds that one policy is checked against; further ones are not looked at (as in Kubernetes). */
const kindsMax = 10;
/** Its schema contains itself: a declaration of it would have no end. */
const cyclicGroup = 'apiextensions.k8s.io';

/**
 * What the expressions of a ValidatingAdmissionPolicy get wrong about the kinds that it names literally (KUBERNETES.md
 * A3): a field that a Deployment does not have is no error when the policy is written, since the policy may match other
 * kinds too. Rules with `*` are not looked at.
 */
export function expressionWarnings(spec: JsonObject, scheme: Scheme): ExpressionWarning[] {
  const kinds = kindsOf(spec, scheme);
  const paramKind = asObject(spec['paramKind']);
  const hasParams = spec['paramKind'] !== undefined;
  const params = hasParams ? declOfServed(servedKind(paramKind, scheme)) : undefined;
  const told = new Map<string, string[]>();
  for (const served of kinds) {
    const object = declOfServed(served);
    if (object === undefined) continue;
    const { definition, version } = served;
    for (const [field, error] of faultsOf(spec, hasParams, { object, params })) {
      const texts = told.get(field) ?? [];
      // As Go prints a GroupVersionKind; the core group has no name before the slash.
      texts.push(`${definition.group}/${version.version}, Kind=${definition.kind}: ${error}\n`);
      told.set(field, texts);
    }
  }
  return [...told]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([fieldRef, texts]) => ({ fieldRef, warning: texts.join('\n') }));
}

function faultsOf(spec: JsonObject, params: boolean, typed: TypedVariables): [string, string][] {
  const uses = { params, namespaceObject: true, authorizer: true, typed };
  const environmentWith = (own: ReadonlyMap<string, CelType>) => policyEnvironment({ ...uses, own });
  const variables = compileVariables(spec['variables'], environmentWith);
  const environment = environmentWith(variables.types);
  const faults: [string, string][] = [];
  const look = (field: string, { error }: Expression) => {
    if (error !== undefined) faults.push([field, error.replace(/^compilation failed: /, '')]);
  };
  const compile = (source: string) => expressionOf(source, environment, []);
  asObjects(spec['validations']).forEach((validation, index) => {
    const at = `spec.validations[${index}]`;
    look(`${at}.expression`, compile(asText(validation['expression'])));
    const message = asText(validation['messageExpression']);
    if (message !== '') look(`${at}.messageExpression`, compile(message));
  });
  return faults;
}

/** The kinds that rules name without `*`, each once, in the order of their names. */
function kindsOf(spec: JsonObject, scheme: Scheme): ServedResource[] {
  const found = new Map<string, ServedResource>();
  for (const rule of asObjects(asObject(spec['matchConstraints'])['resourceRules'])) {
    const groups = textsAt(rule, 'apiGroups');
    const versions = textsAt(rule, 'apiVersions');
    const resources = textsAt(rule, 'resources');
    if ([...groups, ...versions].includes('*')) continue;
    for (const group of groups) {
      for (const version of versions) {
        for (const resource of resources) {
          const served = scheme.lookupResource(group, version, resource);
          if (served !== undefined) found.set(`${group}/${version}/${served.definition.kind}`, served);
        }
      }
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, kindsMax)
    .map(([, served]) => served);
}

function servedKind(paramKind: JsonObject, scheme: Scheme): ServedResource | undefined {
  const parsed = parseApiVersion(textAt(paramKind, 'apiVersion'));
  if (parsed === undefined) return undefined;
  return scheme.lookupKind(parsed.group, parsed.version, textAt(paramKind, 'kind'));
}

function declOfServed(served: ServedResource | undefined): Decl | undefined {
  if (served === undefined || served.definition.group === cyclicGroup) return undefined;
  return declOf(served.version.schema, served.definition.origin === 'custom');
}
