import { duplicate, invalid, notSupported, required, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1035Label, dns1123Subdomain, labelKey, pathSegmentName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkName, checkOptionalChoice, checkSelector, type Errors, requireText } from './common.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkStatusConditions } from './status-conditions.ts';

const group = 'admissionregistration.k8s.io';

/**
 * admissionregistration (source: Kubernetes' pkg/apis/admissionregistration/validation). Structure is checked, CEL
 * expressions are neither compiled nor evaluated; the NotEnforced admission plugin tells their writers so.
 */
export const admissionRules: { readonly [groupResource: string]: Rule } = {
  [`validatingwebhookconfigurations.${group}`]: webhookRule(false),
  [`mutatingwebhookconfigurations.${group}`]: webhookRule(true),
  [`validatingadmissionpolicies.${group}`]: rule({
    always: checkValidatingPolicy,
    status: (errors, policy) => {
      objectsAt(policy, 'status', 'typeChecking', 'expressionWarnings').forEach((warning, i) => {
        const at = `status.typeChecking.expressionWarnings[${i}]`;
        if (textAt(warning, 'warning') === '') errors.push(required(`${at}.warning`));
        if (textAt(warning, 'fieldRef').trim() === '') errors.push(required(`${at}.fieldRef`));
      });
      checkStatusConditions(errors, 'status.conditions', objectsAt(policy, 'status', 'conditions'), Infinity);
    },
  }),
  [`validatingadmissionpolicybindings.${group}`]: rule({
    always: (errors, binding) => {
      checkPolicyBinding(errors, binding);
      checkActions(errors, textsAt(binding, 'spec', 'validationActions'));
    },
  }),
  [`mutatingadmissionpolicies.${group}`]: rule({
    always: checkMutatingPolicy,
  }),
  [`mutatingadmissionpolicybindings.${group}`]: rule({
    always: (errors, binding) => {
      checkPolicyBinding(errors, binding);
      checkMutatedOperations(errors, binding, 'matchResources');
    },
  }),
};

const matchPolicies = ['Equivalent', 'Exact'];
const failurePolicies = ['Fail', 'Ignore'];
const sideEffects = ['None', 'NoneOnDryRun'];
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const reviewVersions = ['v1', 'v1beta1'];
/** Words of CEL that name nothing. */
const reservedWords: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const conditionsMax = 64;
const auditAnnotationsMax = 20;

function webhookRule(mutates: boolean): Rule {
  return rule({
    always: (errors, configuration) => {
      const names = new Set<string>();
      objectsAt(configuration, 'webhooks').forEach((webhook, i) => {
        const at = `webhooks[${i}]`;
        const name = textAt(webhook, 'name');
        checkWebhook(errors, at, webhook, mutates);
        if (name !== '' && names.has(name)) errors.push(duplicate(`${at}.name`, name));
        names.add(name);
      });
    },
  });
}

function checkWebhook(errors: Errors, at: string, webhook: JsonObject, mutates: boolean): void {
  const name = textAt(webhook, 'name');
  const wrong = dns1123Subdomain(name);
  if (name === '') errors.push(required(`${at}.name`));
  else if (wrong.length > 0) errors.push(invalid(`${at}.name`, name, wrong.join(',')));
  else if (name.split('.').length < 3) {
    errors.push(
      invalid(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'),
    );
  }
  objectsAt(webhook, 'rules').forEach((one, i) => {
    checkRule(errors, `${at}.rules[${i}]`, one);
  });
  checkOptionalChoice(errors, `${at}.failurePolicy`, valueAt(webhook, 'failurePolicy'), failurePolicies);
  checkOptionalChoice(errors, `${at}.matchPolicy`, valueAt(webhook, 'matchPolicy'), matchPolicies);
  const effects = valueAt(webhook, 'sideEffects');
  if (effects === undefined) {
    errors.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
  } else checkOptionalChoice(errors, `${at}.sideEffects`, effects, sideEffects);
  const timeout = numberAt(webhook, 'timeoutSeconds');
  if (timeout !== undefined && (timeout < 1 || timeout > 30)) {
    const why = 'the timeout value must be between 1 and 30 seconds';
    errors.push(invalid(`${at}.timeoutSeconds`, timeout, why));
  }
  checkSelector(errors, `${at}.namespaceSelector`, objectAt(webhook, 'namespaceSelector'));
  checkSelector(errors, `${at}.objectSelector`, objectAt(webhook, 'objectSelector'));
  checkWebhookClient(errors, `${at}.clientConfig`, objectAt(webhook, 'clientConfig') ?? {});
  checkMatchConditions(errors, `${at}.matchConditions`, webhook);
  if (mutates) {
    checkOptionalChoice(errors, `${at}.reinvocationPolicy`, valueAt(webhook, 'reinvocationPolicy'), [
      'IfNeeded',
      'Never',
    ]);
  }
  checkReviewVersions(errors, `${at}.admissionReviewVersions`, textsAt(webhook, 'admissionReviewVersions'));
}

function checkReviewVersions(errors: Errors, at: string, versions: readonly string[]): void {
  if (versions.length === 0) {
    errors.push(required(at, 'must specify one of v1, v1beta1'));
    return;
  }
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(invalid(`${at}[${i}]`, version, 'duplicate version'));
    else checkName(errors, `${at}[${i}]`, version, dns1035Label);
  });
  if (!versions.some((version) => reviewVersions.includes(version))) {
    errors.push(invalid(at, versions, 'must include at least one of v1, v1beta1'));
  }
}

/** WebhookClientConfig, of admission and of conversion. */
export function checkWebhookClient(errors: Errors, at: string, client: JsonObject): void {
  const url = valueAt(client, 'url');
  const service = objectAt(client, 'service');
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(at, 'exactly one of url or service is required'));
    return;
  }
  if (typeof url === 'string') {
    checkUrl(errors, `${at}.url`, url);
    return;
  }
  // Kubernetes hands the two over in the other order than it takes them: each is told as the other's absence.
  requireText(errors, `${at}.service.name`, textAt(service, 'namespace'));
  requireText(errors, `${at}.service.namespace`, textAt(service, 'name'));
  const port = numberAt(service, 'port');
  if (port !== undefined && (port < 1 || port > 65_535)) {
    const why = 'port is not valid: must be between 1 and 65535, inclusive';
    errors.push(invalid(`${at}.service.port`, port, why));
  }
  checkPath(errors, `${at}.service.path`, textAt(service, 'path'));
}

/** A path of a service: a subdomain a segment, as ValidateWebhookService of apiserver has it. */
function checkPath(errors: Errors, at: string, path: string): void {
  if (path === '' || path === '/') return;
  if (!path.startsWith('/')) errors.push(invalid(at, path, "must start with a '/'"));
  const segments = path === '//' ? [''] : path.slice(1).replace(/\/$/, '').split('/');
  segments.forEach((segment, i) => {
    if (segment === '') errors.push(invalid(at, path, `segment[${i}] may not be empty`));
    else for (const why of dns1123Subdomain(segment)) errors.push(invalid(at, path, `segment[${i}]: ${why}`));
  });
}

/** scheme, user information, host and port, path, query, fragment: as Go's url.Parse cuts them. */
const urlParts =
  /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

function checkUrl(errors: Errors, at: string, url: string): void {
  const form = '; desired format: https://host[/path]';
  const [, scheme = '', user, host = '', query = '', fragment = ''] = urlParts.exec(url) ?? [];
  const wrong = urlFault(url, scheme, host);
  if (wrong !== undefined) {
    errors.push(required(at, `url must be a valid URL: parse ${JSON.stringify(url)}: ${wrong}${form}`));
    return;
  }
  const refuse = (value: string, why: string) => errors.push(invalid(at, value, why));
  if (scheme.toLowerCase() !== 'https') {
    refuse(scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`);
  }
  if (host === '') refuse('', `host must be specified${form}`);
  if (user !== undefined) refuse(user, 'user information is not permitted in the URL');
  if (fragment !== '') refuse(fragment, 'fragments are not permitted in the URL');
  if (query !== '') refuse(query, 'query parameters are not permitted in the URL');
}

/** Why url.Parse refuses a URL, in its words; undefined when it does not. */
function urlFault(url: string, scheme: string, host: string): string | undefined {
  if (/[\x00-\x1f\x7f]/.test(url)) return 'net/url: invalid control character in URL';
  if (scheme === '' && url.startsWith(':')) return 'missing protocol scheme';
  const port = /:([^:\]]*)$/.exec(host.replace(/^\[[^\]]*\]/, ''));
  const character = /[\s<>"{}|\\^`]/.exec(host)?.[0];
  if (character !== undefined) return `invalid character ${JSON.stringify(character)} in host name`;
  if (port !== null && !/^\d*$/.test(port[1] as string)) {
    return `invalid port ${JSON.stringify(`:${port[1]}`)} after host`;
  }
  const badEscape = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(url)?.[0];
  return badEscape === undefined ? undefined : `invalid URL escape ${JSON.stringify(badEscape)}`;
}

function checkRule(errors: Errors, at: string, one: JsonObject): void {
  const verbs = textsAt(one, 'operations');
  if (verbs.length === 0) errors.push(required(`${at}.operations`));
  if (verbs.length > 1 && verbs.includes('*')) {
    errors.push(invalid(`${at}.operations`, verbs, "if '*' is present, must not specify other operations"));
  }
  verbs.forEach((verb, i) => {
    if (!operations.includes(verb)) {
      errors.push(notSupported(`${at}.operations[${i}]`, verb, operations));
    }
  });
  for (const [field, what] of [
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
  ] as const) {
    const values = textsAt(one, field);
    if (values.length === 0) errors.push(required(`${at}.${field}`));
    if (values.length > 1 && values.includes('*')) {
      errors.push(invalid(`${at}.${field}`, values, `if '*' is present, must not specify other ${what}`));
    }
    if (field !== 'apiVersions') continue;
    values.forEach((version, i) => {
      if (version === '') errors.push(required(`${at}.apiVersions[${i}]`));
    });
  }
  checkResources(errors, `${at}.resources`, textsAt(one, 'resources'));
  checkOptionalChoice(errors, `${at}.scope`, valueAt(one, 'scope'), scopes);
}

function checkResources(errors: Errors, at: string, resources: readonly string[]): void {
  if (resources.length === 0) errors.push(required(at));
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  resources.forEach((resource, i) => {
    if (resource === '') {
      errors.push(required(`${at}[${i}]`));
      return;
    }
    const slash = resource.indexOf('/');
    if (slash < 0) return;
    const base = resource.slice(0, slash);
    const sub = resource.slice(slash + 1);
    const refuse = (present: string) =>
      errors.push(
        invalid(`${at}[${i}]`, resource, `if '${present}' is present, must not specify ${resource}`),
      );
    if (wholeResources.has(base)) refuse(`${base}/*`);
    if (wholeSubresources.has(sub)) refuse(`*/${sub}`);
    if (sub === '*') wholeResources.add(base);
    if (base === '*') wholeSubresources.add(sub);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(at, resources, "if '*/*' is present, must not specify other resources"));
  }
  // Of those without a slash the last one decides, in Kubernetes (validateResources).
  const plain = resources.filter((resource) => resource !== '' && !resource.includes('/'));
  if (plain.includes('*') && plain.at(-1) !== '*') {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalid(at, resources, why));
  }
}

function checkMatchConditions(errors: Errors, at: string, holder: JsonObject): void {
  const conditions = objectsAt(holder, 'matchConditions');
  if (conditions.length > conditionsMax) errors.push(tooMany(at, conditions.length, conditionsMax));
  const names = new Set<string>();
  conditions.forEach((condition, i) => {
    const name = textAt(condition, 'name');
    if (textAt(condition, 'expression').trim() === '') errors.push(required(`${at}[${i}].expression`));
    if (name === '') errors.push(required(`${at}[${i}].name`));
    else checkName(errors, `${at}[${i}].name`, name, labelKey);
    if (name !== '' && names.has(name)) errors.push(duplicate(`${at}[${i}].name`, name));
    names.add(name);
  });
}

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

function checkMatchResources(errors: Errors, at: string, resources: JsonObject): void {
  checkOptionalChoice(errors, `${at}.matchPolicy`, valueAt(resources, 'matchPolicy'), matchPolicies);
  checkSelector(errors, `${at}.namespaceSelector`, objectAt(resources, 'namespaceSelector'));
  checkSelector(errors, `${at}.objectSelector`, objectAt(resources, 'objectSelector'));
  for (const field of ['resourceRules', 'excludeResourceRules']) {
    objectsAt(resources, field).forEach((one, i) => {
      const path = `${at}.${field}[${i}]`;
      const names = textsAt(one, 'resourceNames');
      names.forEach((name, j) => {
        checkName(errors, `${path}.resourceNames[${j}]`, name, pathSegmentName);
        if (names.indexOf(name) < j) errors.push(duplicate(`${path}.resourceNames[${j}]`, name));
      });
      checkRule(errors, path, one);
    });
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

function checkValidatingPolicy(errors: Errors, policy: KubeObject): void {
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
function checkMutatedOperations(errors: Errors, policy: KubeObject, match: string): void {
  for (const rule of objectsAt(policy, 'spec', match, 'resourceRules')) {
    for (const operation of textsAt(rule, 'operations')) {
      if (mutatedOperations.includes(operation)) continue;
      errors.push(notSupported(`spec.${match}.resourceRules.operations`, operation, mutatedOperations));
    }
  }
}

function checkMutatingPolicy(errors: Errors, policy: KubeObject): void {
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

function checkPolicyBinding(errors: Errors, binding: KubeObject): void {
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

function checkActions(errors: Errors, actions: readonly string[]): void {
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
