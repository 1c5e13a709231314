import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooMany,
} from '#apimachinery/field-error.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { plainPath } from '#apimachinery/jsonpath.ts';
import { dns1035Label, dns1123Subdomain } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { checkWebhookClient } from '../builtin/validation/admission-policies.ts';
import {
  apiApprovedAnnotation,
  approvalOf,
  hasCondition,
  isProtectedGroup,
  namesOf,
  objectIn,
  objectsIn,
  specOf,
  storedVersionsOf,
  textOf,
  textsIn,
} from './crd.ts';
import { fieldAtPath } from './field-path.ts';
import { validateSchemaRules } from './validate-rules.ts';
import { validateStructuralSchema } from './validate-schema.ts';

const selectableFieldsMax = 8;
const versionsMax = 100;
const columnTypes = ['integer', 'number', 'string', 'boolean', 'date'];
const columnFormats = ['int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'password'];

/** Members of the root schema that may stand beside a status subresource (apiextensions validation.go). */
const rootFieldsWithStatus: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);

/** Validation of a new CustomResourceDefinition (apiextensions' ValidateCustomResourceDefinition; KUBERNETES.md R1). */
export function validateCrd(crd: KubeObject): FieldError[] {
  return [
    ...validateCrdName(crd),
    ...validateSpec(specOf(crd)),
    ...validateStoredVersions(crd),
    ...validateApproval(crd, undefined),
  ];
}

/** Validation of a change. An unchanged spec is not validated again: what is stored may be older than a rule. */
export function validateCrdUpdate(crd: KubeObject, old: KubeObject, subresource: string): FieldError[] {
  if (subresource === 'status') return validateStoredVersions(crd);
  const spec = specOf(crd);
  const oldSpec = specOf(old);
  const errors = equalJson(spec, oldSpec) ? [] : validateSpec(spec);
  const immutable = (field: string, value: JsonValue | undefined, before: JsonValue | undefined) => {
    if (!equalJson(value, before)) errors.push(invalid(field, value ?? '', 'field is immutable'));
  };
  const names = objectIn(spec['names']);
  const oldNames = objectIn(oldSpec['names']);
  immutable('spec.group', spec['group'], oldSpec['group']);
  immutable('spec.names.plural', names['plural'], oldNames['plural']);
  // Both say how and under what the instances are stored, once there may be any.
  if (hasCondition(old, 'Established')) {
    immutable('spec.scope', spec['scope'], oldSpec['scope']);
    immutable('spec.names.kind', names['kind'], oldNames['kind']);
  }
  errors.push(...validateStoredVersions(crd), ...validateApproval(crd, old));
  return errors;
}

function validateCrdName(crd: KubeObject): FieldError[] {
  const spec = specOf(crd);
  const wanted = `${textOf(objectIn(spec['names'])['plural'])}.${textOf(spec['group'])}`;
  // That there must be a name is said elsewhere.
  if (crd.metadata.name === wanted || (crd.metadata.name ?? '') === '') return [];
  return [invalid('metadata.name', crd.metadata.name ?? '', 'must be spec.names.plural+"."+spec.group')];
}

function validateApproval(crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (!isProtectedGroup(textOf(specOf(crd)['group']))) return [];
  const { state, text } = approvalOf(crd);
  // Who only edits the spec is not made to answer for an annotation that was always so.
  if (old !== undefined && approvalOf(old).state === state) return [];
  const field = `metadata.annotations[${apiApprovedAnnotation}]`;
  if (state === 'Missing') return [required(field, text)];
  if (state === 'Invalid') return [invalid(field, crd.metadata.annotations?.[apiApprovedAnnotation], text)];
  return [];
}

function validateStoredVersions(crd: KubeObject): FieldError[] {
  const stored = storedVersionsOf(crd);
  const versions = objectsIn(specOf(crd)['versions']);
  const field = 'status.storedVersions';
  if (stored.length === 0) return [invalid(field, null, 'must have at least one stored version')];
  const errors: FieldError[] = [];
  stored.forEach((name, index) => {
    if (versions.some((version) => version['name'] === name)) return;
    errors.push(
      invalid(
        `${field}[${index}]`,
        name,
        `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
      ),
    );
  });
  for (const { name, storage } of versions) {
    if (storage !== true || typeof name !== 'string' || stored.includes(name)) continue;
    errors.push(invalid(field, stored, `must have the storage version ${name}`));
  }
  return errors;
}

function validateSpec(spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  validateGroup(textOf(spec['group']), errors);
  const scope = textOf(spec['scope']);
  if (scope === '') errors.push(required('spec.scope'));
  else if (scope !== 'Cluster' && scope !== 'Namespaced') {
    errors.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  }
  validateNames(spec['names'], errors);
  validateVersions(spec, errors);
  validateConversion(objectIn(spec['conversion']), errors);
  if (spec['preserveUnknownFields'] === true) {
    errors.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  }
  return errors;
}

function validateGroup(group: string, errors: FieldError[]): void {
  if (group === '') {
    errors.push(required('spec.group'));
    return;
  }
  const wrong = dns1123Subdomain(group);
  if (wrong.length > 0) errors.push(invalid('spec.group', group, wrong.join(',')));
  else if (!group.includes('.')) {
    errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  }
}

function validateNames(value: JsonValue | undefined, errors: FieldError[]): void {
  const names = namesOf(value);
  const path = 'spec.names';
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (names[field] === '') errors.push(required(`${path}.${field}`));
  }
  const label = (field: string, name: string) => {
    const wrong = name === '' ? [] : dns1035Label(name);
    if (wrong.length > 0) errors.push(invalid(`${path}.${field}`, name, wrong.join(',')));
  };
  const kind = (field: string, name: string) => {
    const wrong = name === '' ? [] : dns1035Label(name.toLowerCase());
    if (wrong.length === 0) return;
    const text = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
    errors.push(invalid(`${path}.${field}`, name, text));
  };
  label('plural', names.plural);
  label('singular', names.singular);
  kind('kind', names.kind);
  kind('listKind', names.listKind);
  if (names.kind !== '' && names.kind === names.listKind) {
    errors.push(invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  }
  const list = (field: string, entries: readonly string[]) => {
    entries.forEach((entry, index) => {
      const wrong = dns1035Label(entry);
      if (wrong.length > 0) errors.push(invalid(`${path}.${field}[${index}]`, entry, wrong.join(',')));
    });
  };
  list('shortNames', names.shortNames);
  list('categories', names.categories);
}

/**
 * What all versions have alike, Kubernetes holds once, under spec: its messages name it there
 * (Convert_v1_CustomResourceDefinitionSpec_To_apiextensions_CustomResourceDefinitionSpec).
 */
const sharedMembers = {
  schema: 'validation',
  subresources: 'subresources',
  additionalPrinterColumns: 'additionalPrinterColumns',
  selectableFields: 'selectableFields',
} as const;

type SharedMember = keyof typeof sharedMembers;

function isShared(versions: readonly JsonObject[], member: SharedMember): boolean {
  const [first] = versions;
  return versions.every((version) => equalJson(version[member] ?? null, first?.[member] ?? null));
}

function validateVersions(spec: JsonObject, errors: FieldError[]): void {
  const versions = objectsIn(spec['versions']);
  const path = 'spec.versions';
  if (versions.length > versionsMax) {
    errors.push(tooMany(path, versions.length, versionsMax));
    return;
  }
  const shared = new Set<SharedMember>();
  for (const member of Object.keys(sharedMembers) as SharedMember[]) {
    if (versions.length > 0 && isShared(versions, member)) shared.add(member);
  }
  const hasStatus = (version: JsonObject) => isJsonObject(objectIn(version['subresources'])['status']);
  versions.forEach((version, index) => {
    const at = `${path}[${index}]`;
    const name = textOf(version['name']);
    const wrong = dns1035Label(name);
    if (wrong.length > 0) errors.push(invalid(`${at}.name`, name, wrong.join(',')));
    if (!isJsonObject(objectIn(version['schema'])['openAPIV3Schema'])) {
      errors.push(required(`${at}.schema.openAPIV3Schema`));
    }
    validateDeprecation(version, at, errors);
    for (const member of Object.keys(sharedMembers) as SharedMember[]) {
      if (shared.has(member)) continue;
      validateMember(version, member, `${at}.${member}`, hasStatus(version), errors);
    }
  });
  // Whole versions, as Kubernetes' own form of them prints.
  const shown = (spec['versions'] ?? null) === null ? null : versions.map((one) => goVersion(one, shared));
  const names = versions.map((version) => textOf(version['name']));
  if (new Set(names).size !== names.length) {
    errors.push(invalid(path, shown, 'must contain unique version names'));
  }
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(invalid(path, shown, 'must have exactly one version marked as storage version'));
  }
  const [first] = versions;
  if (first === undefined) return;
  const name = textOf(first['name']);
  const wrong = name === '' ? [] : dns1035Label(name);
  if (wrong.length > 0) errors.push(invalid('spec.version', name, wrong.join(',')));
  for (const member of shared) {
    validateMember(first, member, `spec.${sharedMembers[member]}`, versions.some(hasStatus), errors);
  }
}

/** A version as Go prints the internal type, without what is shared. */
function goVersion(version: JsonObject, shared: ReadonlySet<SharedMember>): JsonObject {
  const kept = (member: SharedMember) => (shared.has(member) ? null : (version[member] ?? null));
  return {
    Name: version['name'] ?? '',
    Served: version['served'] ?? false,
    Storage: version['storage'] ?? false,
    Deprecated: version['deprecated'] ?? false,
    DeprecationWarning: version['deprecationWarning'] ?? null,
    Schema: kept('schema'),
    Subresources: kept('subresources'),
    AdditionalPrinterColumns: kept('additionalPrinterColumns'),
    SelectableFields: kept('selectableFields'),
  };
}

function validateMember(
  version: JsonObject,
  member: SharedMember,
  path: string,
  hasStatus: boolean,
  errors: FieldError[],
): void {
  const schema = objectIn(version['schema'])['openAPIV3Schema'];
  switch (member) {
    case 'schema':
      if (isJsonObject(schema)) validateVersionSchema(schema, `${path}.openAPIV3Schema`, hasStatus, errors);
      return;
    case 'subresources': {
      const scale = objectIn(version['subresources'])['scale'];
      if (isJsonObject(scale)) validateScale(scale, `${path}.scale`, errors);
      return;
    }
    case 'additionalPrinterColumns':
      validateColumns(objectsIn(version['additionalPrinterColumns']), path, errors);
      return;
    default:
      if (isJsonObject(schema)) validateSelectableFields(version, schema, path, errors);
  }
}

function validateVersionSchema(
  schema: JsonObject,
  path: string,
  hasStatus: boolean,
  errors: FieldError[],
): void {
  if (hasStatus) validateRootWithStatus(schema, path, errors);
  const { errors: wrong, isStructural } = validateStructuralSchema(schema, path);
  errors.push(...wrong);
  if (isStructural) errors.push(...validateSchemaRules(schema, path));
}

function validateDeprecation(version: JsonObject, path: string, errors: FieldError[]): void {
  const warning = version['deprecationWarning'];
  if (typeof warning !== 'string') return;
  const field = `${path}.deprecationWarning`;
  if (version['deprecated'] !== true) {
    errors.push(invalid(field, warning, 'can only be set for deprecated versions'));
    return;
  }
  if (Buffer.byteLength(warning) > 256) {
    errors.push(invalid(field, warning, 'must be <= 256 characters long'));
  }
  if (warning === '') errors.push(invalid(field, warning, 'must not be an empty string'));
  // Go's IsPrint: letters, marks, numbers, punctuation, symbols and the space.
  const match = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (match === null) return;
  const at = Buffer.byteLength(warning.slice(0, match.index));
  const why = `must only contain printable UTF-8 characters; non-printable character found at index ${at}`;
  errors.push(invalid(field, warning, why));
}

function validateRootWithStatus(schema: JsonObject, path: string, errors: FieldError[]): void {
  for (const name in schema) {
    if (rootFieldsWithStatus.has(name) || schema[name] === undefined || schema[name] === null) continue;
    errors.push(
      invalid(
        path,
        name,
        `only ${[...rootFieldsWithStatus].join(' ')} fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    );
    return;
  }
}

/** Begins with a dot; that is all that Kubernetes asks of these paths. */
function simplePathError(field: string, value: string): FieldError | undefined {
  return value.startsWith('.')
    ? undefined
    : invalid(field, value, 'must be a simple json path starting with .');
}

function validateScale(scale: JsonObject, path: string, errors: FieldError[]): void {
  const check = (name: string, roots: readonly string[], where: string, isRequired: boolean) => {
    const value = textOf(scale[name]);
    const field = `${path}.${name}`;
    if (value === '') {
      if (isRequired) errors.push(required(field));
      return;
    }
    const wrong = simplePathError(field, value);
    if (wrong !== undefined) errors.push(wrong);
    else if (!roots.some((root) => value.startsWith(root))) {
      errors.push(invalid(field, value, `should be a json path under ${where}`));
    } else if (plainPath(value) === undefined) {
      // Kubernetes takes these, and then finds nothing there: a Scale of ours is never empty for that.
      const why = 'is an invalid path: must be a simple json path without array notation';
      errors.push(invalid(field, value, why));
    }
  };
  check('specReplicasPath', ['.spec.'], '.spec', true);
  check('statusReplicasPath', ['.status.'], '.status', true);
  check('labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status', false);
}

function validateColumns(columns: readonly JsonObject[], path: string, errors: FieldError[]): void {
  columns.forEach((column, index) => {
    const at = `${path}[${index}]`;
    const type = textOf(column['type']);
    const format = textOf(column['format']);
    const jsonPath = textOf(column['jsonPath']);
    const oneOf = (values: readonly string[]) => `must be one of ${[...values].sort().join(',')}`;
    if (textOf(column['name']) === '') errors.push(required(`${at}.name`));
    if (type === '') errors.push(required(`${at}.type`, oneOf(columnTypes)));
    else if (!columnTypes.includes(type)) errors.push(invalid(`${at}.type`, type, oneOf(columnTypes)));
    if (format !== '' && !columnFormats.includes(format)) {
      errors.push(invalid(`${at}.format`, format, oneOf(columnFormats)));
    }
    if (jsonPath === '') {
      errors.push(required(`${at}.JSONPath`));
      return;
    }
    const wrong = simplePathError(`${at}.JSONPath`, jsonPath);
    if (wrong !== undefined) errors.push(wrong);
  });
}

/** KEP-4358: at most eight scalar fields, named by a plain path, none of metadata. */
function validateSelectableFields(
  version: JsonObject,
  schema: JsonObject,
  path: string,
  errors: FieldError[],
): void {
  const fields = objectsIn(version['selectableFields']);
  const seen = new Set<string>();
  fields.forEach((field, index) => {
    const at = `${path}[${index}].jsonPath`;
    const jsonPath = textOf(field['jsonPath']);
    if (jsonPath === '') {
      errors.push(required(at));
      return;
    }
    const found = fieldAtPath(schema, jsonPath, false);
    if ('error' in found) {
      errors.push(invalid(at, jsonPath, `is an invalid path: ${found.error}`));
      return;
    }
    if (found.names[0] === 'metadata') {
      errors.push(invalid(at, jsonPath, 'must not point to fields in metadata'));
    }
    if (!['string', 'boolean', 'integer'].includes(textOf(found.schema['type']))) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalid(at, jsonPath, why));
    }
    const name = found.names.join('.');
    if (seen.has(name)) errors.push(duplicate(at, jsonPath));
    seen.add(name);
  });
  if (seen.size > selectableFieldsMax) errors.push(tooMany(path, seen.size, selectableFieldsMax));
}

/** apiextensions validateCustomResourceConversion: the names are those of its internal type. */
function validateConversion(conversion: JsonObject, errors: FieldError[]): void {
  const path = 'spec.conversion';
  const strategy = textOf(conversion['strategy']);
  const webhook = objectIn(conversion['webhook']);
  const { clientConfig, conversionReviewVersions } = webhook;
  const versions = textsIn(conversionReviewVersions);
  if (strategy === '') errors.push(required(`${path}.strategy`));
  else if (strategy !== 'None' && strategy !== 'Webhook') {
    errors.push(notSupported(`${path}.strategy`, strategy, ['None', 'Webhook']));
  }
  if (strategy === 'Webhook') {
    if (!isJsonObject(clientConfig)) {
      errors.push(required(`${path}.webhookClientConfig`, 'required when strategy is set to Webhook'));
    } else checkWebhookClient(errors, `${path}.webhookClientConfig`, clientConfig);
    validateReviewVersions(versions, `${path}.conversionReviewVersions`, errors);
    return;
  }
  const why = 'should not be set when strategy is not set to Webhook';
  if (isJsonObject(clientConfig)) errors.push(forbiddenField(`${path}.webhookClientConfig`, why));
  if (versions.length > 0) errors.push(forbiddenField(`${path}.conversionReviewVersions`, why));
}

function validateReviewVersions(versions: readonly string[], path: string, errors: FieldError[]): void {
  if (versions.length === 0) errors.push(required(path));
  versions.forEach((version, index) => {
    if (versions.indexOf(version) < index) {
      errors.push(invalid(`${path}[${index}]`, version, 'duplicate version'));
      return;
    }
    for (const wrong of dns1035Label(version)) errors.push(invalid(`${path}[${index}]`, version, wrong));
  });
  if (versions.length === 0 || versions.includes('v1')) return;
  // Kubernetes takes v1beta1 alone; we would never send it, and so say so now.
  const why = versions.includes('v1beta1') ? 'must include v1' : 'must include at least one of v1, v1beta1';
  errors.push(invalid(path, versions, why));
}
