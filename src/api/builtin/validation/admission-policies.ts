import { duplicate, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1035Label, dns1123Subdomain, labelKey, pathSegmentName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkMatchConditions, checkMatchResources, failurePolicies } from './admission-matching.ts';
import { checkName, checkOptionalChoice, checkSelector, type Errors } from './common.ts';
import { specOf } from './rule.ts';

/** Words of CEL that name nothing. */
const reservedWords: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

const auditAnnotationsMax = 20;

function checkParamKind(errors: Errors, spec: JsonObject): void {
  const kind = objectAt(spec, 'paramKind');
  if (kind === undefined) return;
  const apiVersion = textAt(kind, 'apiVersion');
  const parts = apiVersion.split('/');
  if (apiVersion === '') errors.push(required('spec.paramKind.apiVersion'));
  else if (parts.length > 2) {
    const why = `unexpected GroupVersion string: ${apiVersion}`;
    errors.push(invalid('spec.paramKind.apiVersion', apiVersion, why));
  } else {
    if (parts.length === 2 && parts[0] !== '') {
      checkName(errors, 'spec.paramKind.apiVersion', parts[0]!, dns1123Subdomain);
    }
    checkName(errors, 'spec.paramKind.apiVersion', parts.at(-1)!, dns1035Label);
  }
  const name = textAt(kind, 'kind');
  const wrong = dns1035Label(name.toLowerCase());
  if (name === '') errors.push(required('spec.paramKind.kind'));
  else if (wrong.length > 0) {
    const why = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
    errors.push(invalid('spec.paramKind.kind', name, why));
  }
}

/** What both kinds of policy have: failure policy, parameters, what they match, variables. */
function checkPolicy(errors: Errors, spec: JsonObject): void {
  const failure = valueAt(spec, 'failurePolicy');
  if (failure === undefined) errors.push(required('spec.failurePolicy'));
  else checkOptionalChoice(errors, 'spec.failurePolicy', failure, failurePolicies);
  checkParamKind(errors, spec);
  const constraints = objectAt(spec, 'matchConstraints');
  if (constraints === undefined) errors.push(required('spec.matchConstraints'));
  else {
    checkMatchResources(errors, 'spec.matchConstraints', constraints);
    if (objectsAt(constraints, 'resourceRules').length === 0) {
      errors.push(required('spec.matchConstraints.resourceRules'));
    }
  }
  checkMatchConditions(errors, 'spec.matchConditions', spec);
  objectsAt(spec, 'variables').forEach((variable, i) => {
    const name = textAt(variable, 'name');
    if (name.trim() === '') errors.push(required(`spec.variables[${i}].name`, 'name is not specified'));
    else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reservedWords.has(name)) {
      errors.push(invalid(`spec.variables[${i}].name`, name, 'must be a valid CEL identifier'));
    }
    if (textAt(variable, 'expression').trim() === '') {
      errors.push(required(`spec.variables[${i}].expression`, 'expression is not specified'));
    }
  });
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

export function checkValidatingPolicy(errors: Errors, policy: KubeObject): void {
  const spec = specOf(policy);
  checkPolicy(errors, spec);
  const validations = objectsAt(spec, 'validations');
  const annotations = objectsAt(spec, 'auditAnnotations');
  if (validations.length === 0 && annotations.length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item';
    errors.push(required('spec.validations', why), required('spec.auditAnnotations', why));
    return;
  }
  validations.forEach((validation, i) => {
    const at = `spec.validations[${i}]`;
    const message = textAt(validation, 'message');
    if (textAt(validation, 'expression').trim() === '') {
      errors.push(required(`${at}.expression`, 'expression is not specified'));
    }
    if (message !== '' && message.trim() === '') {
      errors.push(invalid(`${at}.message`, message, 'must be non-empty if specified'));
    } else if (message.includes('\n')) {
      errors.push(invalid(`${at}.message`, message, 'must not contain line breaks'));
    }
    const messageExpression = textAt(validation, 'messageExpression');
    if (messageExpression !== '' && messageExpression.trim() === '') {
      const why = 'must be non-empty if specified';
      errors.push(invalid(`${at}.messageExpression`, messageExpression, why));
    }
    checkOptionalChoice(errors, `${at}.reason`, valueAt(validation, 'reason'), reasons);
  });
  if (annotations.length > auditAnnotationsMax) {
    const why = `must not have more than ${auditAnnotationsMax} auditAnnotations`;
    errors.push(invalid('spec.auditAnnotations', annotations, why));
  }
  const keys = new Set<string>();
  annotations.forEach((annotation, i) => {
    const at = `spec.auditAnnotations[${i}]`;
    const key = textAt(annotation, 'key');
    checkName(errors, `${at}.key`, `${policy.metadata.name ?? ''}/${key}`, labelKey);
    if (textAt(annotation, 'valueExpression').trim() === '') {
      errors.push(required(`${at}.valueExpression`, 'valueExpression is not specified'));
    }
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
  });
}

const patchTypes = ['ApplyConfiguration', 'JSONPatch'];

const mutatedOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

/** Deletions cannot be mutated. */
export function checkMutatedOperations(errors: Errors, policy: KubeObject, match: string): void {
  for (const rule of objectsAt(policy, 'spec', match, 'resourceRules')) {
    for (const operation of textsAt(rule, 'operations')) {
      if (mutatedOperations.includes(operation)) continue;
      errors.push(notSupported(`spec.${match}.resourceRules.operations`, operation, mutatedOperations));
    }
  }
}

export function checkMutatingPolicy(errors: Errors, policy: KubeObject): void {
  const spec = specOf(policy);
  checkPolicy(errors, spec);
  checkMutatedOperations(errors, policy, 'matchConstraints');
  const mutations = objectsAt(spec, 'mutations');
  if (mutations.length === 0) {
    errors.push(required('spec.mutations', 'mutations must contain at least one item'));
  }
  mutations.forEach((mutation, i) => {
    checkMutation(errors, `spec.mutations[${i}]`, mutation);
  });
  const reinvocation = valueAt(spec, 'reinvocationPolicy');
  if (reinvocation === undefined || reinvocation === '') errors.push(required('spec.reinvocationPolicy'));
  else checkOptionalChoice(errors, 'spec.reinvocationPolicy', reinvocation, ['IfNeeded', 'Never']);
}

function checkMutation(errors: Errors, at: string, mutation: JsonObject): void {
  const type = textAt(mutation, 'patchType');
  if (type === '') errors.push(required(`${at}.patchType`));
  else if (!patchTypes.includes(type)) errors.push(notSupported(`${at}.patchType`, type, patchTypes));
  if (!patchTypes.includes(type)) return;
  const isPatch = type === 'JSONPatch';
  const own = isPatch ? 'jsonPatch' : 'applyConfiguration';
  const other = isPatch ? 'applyConfiguration' : 'jsonPatch';
  if (objectAt(mutation, own) === undefined) {
    errors.push(required(`${at}.${own}`, `must be specified when patchType is ${type}`));
  } else if (textAt(mutation, own, 'expression').trim() === '') {
    errors.push(required(`${at}.${own}.expression`));
  }
  if (objectAt(mutation, other) !== undefined) {
    const why = `must not be specified when patchType is ${type}`;
    errors.push(invalid(`${at}.${other}`, `{${other}}`, why));
  }
}

export function checkPolicyBinding(errors: Errors, binding: KubeObject): void {
  const spec = specOf(binding);
  const policy = textAt(spec, 'policyName');
  if (policy === '') errors.push(required('spec.policyName'));
  else checkName(errors, 'spec.policyName', policy, dns1123Subdomain);
  const reference = objectAt(spec, 'paramRef');
  if (reference !== undefined) {
    const name = textAt(reference, 'name');
    const selector = objectAt(reference, 'selector');
    if (name !== '') checkName(errors, 'spec.paramRef.name', name, pathSegmentName);
    if (name !== '' && selector !== undefined) {
      const why = 'name and selector are mutually exclusive';
      errors.push(
        { type: 'FieldValueForbidden', field: 'spec.paramRef.name', message: `Forbidden: ${why}` },
        { type: 'FieldValueForbidden', field: 'spec.paramRef.selector', message: `Forbidden: ${why}` },
      );
    } else if (name === '' && selector === undefined) {
      errors.push(required('spec.paramRef', 'one of name or selector must be specified'));
    }
    checkSelector(errors, 'spec.paramRef.selector', selector);
    const action = valueAt(reference, 'parameterNotFoundAction');
    if (action === undefined || action === '') {
      errors.push(required('spec.paramRef.parameterNotFoundAction'));
    } else checkOptionalChoice(errors, 'spec.paramRef.parameterNotFoundAction', action, ['Deny', 'Allow']);
  }
  const resources = objectAt(spec, 'matchResources');
  if (resources !== undefined) checkMatchResources(errors, 'spec.matchResources', resources);
}

export function checkActions(errors: Errors, actions: readonly string[]): void {
  const at = 'spec.validationActions';
  if (actions.length === 0) errors.push(required(at, 'at least one validation action is required'));
  actions.forEach((action, i) => {
    if (!['Audit', 'Deny', 'Warn'].includes(action)) {
      errors.push(notSupported(`${at}[${i}]`, action, ['Audit', 'Deny', 'Warn']));
    }
    if (actions.indexOf(action) < i) errors.push(duplicate(`${at}[${i}]`, action));
  });
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalid(at, actions, why));
  }
}
