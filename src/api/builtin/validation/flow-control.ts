import { duplicate, forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { mandatoryFlowSchemaSpecs, mandatoryPriorityLevelSpecs } from '../mandatory-flow-control.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkName, checkRequiredName, type Errors, requireText } from './common.ts';
import { type Rule, rule, specOf } from './rule.ts';

const group = 'flowcontrol.apiserver.k8s.io';

/** flowcontrol (source: Kubernetes' pkg/apis/flowcontrol/validation). */
export const flowControlRules: { readonly [groupResource: string]: Rule } = {
  [`flowschemas.${group}`]: rule({ always: checkFlowSchema, status: checkConditionTypes }),
  [`prioritylevelconfigurations.${group}`]: rule({ always: checkPriorityLevel, status: checkConditionTypes }),
};

/** ValidateFlowSchemaStatus and ValidatePriorityLevelConfigurationStatus. */
function checkConditionTypes(errors: Errors, object: KubeObject): void {
  const types = new Set<string>();
  objectsAt(object, 'status', 'conditions').forEach((condition, i) => {
    const at = `status.conditions[${i}].type`;
    const type = textAt(condition, 'type');
    if (types.has(type)) errors.push(duplicate(at, type));
    types.add(type);
    if (type === '') errors.push(required(at));
  });
}

const precedenceMax = 10_000;
const queuesMax = 10_000_000;
/** Bits of the hash that shuffle sharding deals hands with. */
const hashBits = 60;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

function checkFlowSchema(errors: Errors, schema: KubeObject): void {
  const spec = specOf(schema);
  const fixed = mandatorySpec(mandatoryFlowSchemaSpecs, schema);
  if (fixed !== undefined && !equalJson(spec, fixed)) {
    errors.push(invalid('spec', spec, `spec of '${schema.metadata.name}' must equal the fixed value`));
  }
  const precedence = numberAt(spec, 'matchingPrecedence') ?? 0;
  const refuse = (why: string) => errors.push(invalid('spec.matchingPrecedence', precedence, why));
  if (precedence <= 0) refuse('must be a positive value');
  if (precedence > precedenceMax) refuse(`must not be greater than ${precedenceMax}`);
  if (precedence === 1 && schema.metadata.name !== 'exempt') {
    refuse("only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const distinguisher = objectAt(spec, 'distinguisherMethod');
  if (distinguisher !== undefined && !['ByNamespace', 'ByUser'].includes(textAt(distinguisher, 'type'))) {
    errors.push(notSupported('spec.distinguisherMethod.type', distinguisher, ['ByNamespace', 'ByUser']));
  }
  const level = textAt(spec, 'priorityLevelConfiguration', 'name');
  const at = 'spec.priorityLevelConfiguration.name';
  if (level === '') errors.push(required(at, 'must reference a priority level'));
  else checkName(errors, at, level, dns1123Subdomain);
  objectsAt(spec, 'rules').forEach((one, i) => {
    checkRule(errors, `spec.rules[${i}]`, one);
  });
}

function mandatorySpec(
  specs: { readonly [name: string]: JsonObject },
  { metadata: { name = '' } }: KubeObject,
): JsonObject | undefined {
  return Object.hasOwn(specs, name) ? specs[name] : undefined;
}

function checkRule(errors: Errors, at: string, one: JsonObject): void {
  const subjects = objectsAt(one, 'subjects');
  if (subjects.length === 0) {
    errors.push(required(`${at}.subjects`, 'subjects must contain at least one value'));
  }
  subjects.forEach((subject, i) => {
    checkSubject(errors, `${at}.subjects[${i}]`, subject);
  });
  const resources = objectsAt(one, 'resourceRules');
  const urls = objectsAt(one, 'nonResourceRules');
  if (resources.length === 0 && urls.length === 0) {
    errors.push(required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  resources.forEach((resource, i) => {
    checkResourceRule(errors, `${at}.resourceRules[${i}]`, resource);
  });
  urls.forEach((url, i) => {
    checkUrlRule(errors, `${at}.nonResourceRules[${i}]`, url);
  });
}

const subjectFields: { readonly [kind: string]: string } = {
  ServiceAccount: 'serviceAccount',
  User: 'user',
  Group: 'group',
};

function checkSubject(errors: Errors, at: string, subject: JsonObject): void {
  const kind = textAt(subject, 'kind');
  const own = subjectFields[kind];
  if (own === undefined) {
    errors.push(notSupported(`${at}.kind`, kind, ['Group', 'ServiceAccount', 'User']));
    return;
  }
  for (const [otherKind, field] of Object.entries(subjectFields)) {
    if (field !== own && objectAt(subject, field) !== undefined) {
      const why = `${field} is forbidden when subject kind is not '${otherKind}'`;
      errors.push(forbiddenField(`${at}.${field}`, why));
    }
  }
  const named = objectAt(subject, own);
  if (named === undefined) {
    errors.push(required(`${at}.${own}`, `${own} is required when subject kind is '${kind}'`));
    return;
  }
  const name = textAt(named, 'name');
  if (kind !== 'ServiceAccount') {
    requireText(errors, `${at}.${own}.name`, name);
    return;
  }
  if (name !== '*') checkRequiredName(errors, `${at}.${own}.name`, name, dns1123Subdomain);
  const namespace = textAt(named, 'namespace');
  if (namespace === '') {
    errors.push(required(`${at}.${own}.namespace`, 'must specify namespace for service account'));
  } else checkName(errors, `${at}.${own}.namespace`, namespace, dns1123Label);
}

/** Empty is missing, and the wildcard stands alone. Returns whether there is more to look at. */
function checkWild(errors: Errors, at: string, values: readonly string[], missing: string, what: string) {
  if (values.length === 0) errors.push(required(at, missing));
  else if (values.length > 1 && values.includes('*')) {
    errors.push(invalid(at, values, `if '*' is present, must not specify other ${what}`));
  }
  return values.length > 0 && !values.includes('*');
}

function checkVerbs(errors: Errors, at: string, one: JsonObject): void {
  const given = textsAt(one, 'verbs');
  const more = checkWild(errors, `${at}.verbs`, given, 'verbs must contain at least one value', 'verbs');
  if (more && given.some((verb) => !verbs.includes(verb))) {
    errors.push(notSupported(`${at}.verbs`, [...given], verbs));
  }
}

function checkResourceRule(errors: Errors, at: string, one: JsonObject): void {
  checkVerbs(errors, at, one);
  const missing = (what: string) => `resource rules must supply at least one ${what}`;
  checkWild(errors, `${at}.apiGroups`, textsAt(one, 'apiGroups'), missing('api group'), 'api groups');
  checkWild(errors, `${at}.resources`, textsAt(one, 'resources'), missing('resource'), 'resources');
  const namespaces = textsAt(one, 'namespaces');
  if (namespaces.length === 0 && booleanAt(one, 'clusterScope') === true) return;
  const noneText = 'resource rules that are not cluster scoped must supply at least one namespace';
  if (!checkWild(errors, `${at}.namespaces`, namespaces, noneText, 'namespaces')) return;
  namespaces.forEach((namespace, i) => {
    for (const why of dns1123Label(namespace)) {
      const text = `each member of this list must be '*' or a DNS-1123 label; ${why}`;
      errors.push(invalid(`${at}.namespaces[${i}]`, namespace, text));
    }
  });
}

function checkUrlRule(errors: Errors, at: string, one: JsonObject): void {
  checkVerbs(errors, at, one);
  const urls = textsAt(one, 'nonResourceURLs');
  const missing = 'nonResourceURLs must contain at least one value';
  if (!checkWild(errors, `${at}.nonResourceURLs`, urls, missing, 'non-resource URLs')) return;
  urls.forEach((url, i) => {
    const why = urlError(url);
    if (why !== undefined) errors.push(invalid(`${at}.nonResourceURLs[${i}]`, url, why));
  });
}

function urlError(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const stars = url.split('*').length - 1;
  if (stars > 1 || (stars === 1 && !url.endsWith('/*'))) {
    return 'wildcard can only do suffix matching';
  }
  return undefined;
}

function checkPriorityLevel(errors: Errors, level: KubeObject): void {
  const spec = specOf(level);
  const type = textAt(spec, 'type');
  const fixed = mandatorySpec(mandatoryPriorityLevelSpecs, level);
  if (fixed !== undefined && !equalJson({ ...spec, exempt: undefined }, { ...fixed, exempt: undefined })) {
    const but = level.metadata.name === 'exempt' ? ', except the spec.exempt field,' : '';
    errors.push(invalid('spec', spec, `spec of '${level.metadata.name}'${but} must equal the fixed value`));
  }
  if ((level.metadata.name === 'exempt') !== (type === 'Exempt')) {
    errors.push(invalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  const limited = objectAt(spec, 'limited');
  const exempt = objectAt(spec, 'exempt');
  if (type === 'Exempt') {
    if (limited !== undefined) {
      errors.push(forbiddenField('spec.limited', 'must be nil if the type is not Limited'));
    }
    if (exempt !== undefined) checkShares(errors, 'spec.exempt', exempt);
  } else if (type === 'Limited') {
    if (exempt !== undefined)
      errors.push(forbiddenField('spec.exempt', 'must be nil if the type is Limited'));
    if (limited === undefined) {
      errors.push(required('spec.limited', 'must not be empty when type is Limited'));
    } else {
      checkShares(errors, 'spec.limited', limited);
      checkLimitResponse(errors, 'spec.limited.limitResponse', objectAt(limited, 'limitResponse') ?? {});
    }
  } else errors.push(notSupported('spec.type', type, ['Exempt', 'Limited']));
}

function checkShares(errors: Errors, at: string, level: JsonObject): void {
  const shares = numberAt(level, 'nominalConcurrencyShares') ?? 0;
  if (shares < 0) {
    errors.push(invalid(`${at}.nominalConcurrencyShares`, shares, 'must be a non-negative integer'));
  }
  const lendable = numberAt(level, 'lendablePercent');
  if (lendable !== undefined && (lendable < 0 || lendable > 100)) {
    errors.push(invalid(`${at}.lendablePercent`, lendable, 'must be between 0 and 100, inclusive'));
  }
  const borrowed = numberAt(level, 'borrowingLimitPercent');
  if (borrowed !== undefined && borrowed < 0) {
    const why = 'if specified, must be a non-negative integer';
    errors.push(invalid(`${at}.borrowingLimitPercent`, borrowed, why));
  }
}

function checkLimitResponse(errors: Errors, at: string, response: JsonObject): void {
  const type = textAt(response, 'type');
  const queuing = objectAt(response, 'queuing');
  if (type === 'Reject') {
    if (queuing === undefined) return;
    errors.push(forbiddenField(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'));
  } else if (type !== 'Queue') {
    errors.push(notSupported(`${at}.type`, valueAt(response, 'type') ?? '', ['Queue', 'Reject']));
  } else if (queuing === undefined) {
    const why = 'must not be empty if limited.limitResponse.type is Limited';
    errors.push(required(`${at}.queuing`, why));
  } else checkQueuing(errors, `${at}.queuing`, queuing);
}

function checkQueuing(errors: Errors, at: string, queuing: JsonObject): void {
  const length = numberAt(queuing, 'queueLengthLimit') ?? 0;
  const queues = numberAt(queuing, 'queues') ?? 0;
  const hand = numberAt(queuing, 'handSize') ?? 0;
  if (length <= 0) errors.push(invalid(`${at}.queueLengthLimit`, length, 'must be positive'));
  if (queues <= 0) errors.push(invalid(`${at}.queues`, queues, 'must be positive'));
  else if (queues > queuesMax) {
    errors.push(invalid(`${at}.queues`, queues, `must not be greater than ${queuesMax}`));
  }
  const bits = Math.ceil(Math.log2(queues) * hand);
  if (hand <= 0) errors.push(invalid(`${at}.handSize`, hand, 'must be positive'));
  else if (hand > queues) {
    errors.push(invalid(`${at}.handSize`, hand, `should not be greater than queues (${queues})`));
  } else if (bits > hashBits) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than ${hashBits}`;
    errors.push(invalid(`${at}.handSize`, hand, why));
  }
}
