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
import { compileJsonPath, plainPath } from '#apimachinery/jsonpath.ts';
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
} from './crd.ts';
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
  if (crd.metadata.name === wanted) return [];
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
  if (stored.length === 0) return [invalid(field, stored, 'must have at least one stored version')];
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
  const storage = versions.find((version) => version['storage'] === true)?.['name'];
  if (typeof storage === 'string' && !stored.includes(storage)) {
    errors.push(invalid(field, stored, `must have the storage version ${storage}`));
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
  validateVersions(objectsIn(spec['versions']), errors);
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

function validateVersions(versions: readonly JsonObject[], errors: FieldError[]): void {
  const path = 'spec.versions';
  // Messages show names: whole versions would fill pages.
  const names = versions.map((version) => textOf(version['name']));
  if (versions.length === 0) {
    errors.push(required(path, 'must have at least one version'));
    return;
  }
  if (versions.length > versionsMax) {
    errors.push(tooMany(path, versions.length, versionsMax));
    return;
  }
  if (new Set(names).size !== names.length)
    errors.push(invalid(path, names, 'must contain unique version names'));
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(invalid(path, names, 'must have exactly one version marked as storage version'));
  }
  versions.forEach((version, index) => {
    validateVersion(version, `${path}[${index}]`, errors);
  });
}

function validateVersion(version: JsonObject, path: string, errors: FieldError[]): void {
  const name = textOf(version['name']);
  const wrong = dns1035Label(name);
  if (wrong.length > 0) errors.push(invalid(`${path}.name`, name, wrong.join(',')));
  validateDeprecation(version, path, errors);
  const subresources = objectIn(version['subresources']);
  const schemaPath = `${path}.schema.openAPIV3Schema`;
  const schema = objectIn(version['schema'])['openAPIV3Schema'];
  if (isJsonObject(schema)) {
    if (isJsonObject(subresources['status'])) validateRootWithStatus(schema, schemaPath, errors);
    const structural = validateStructuralSchema(schema, schemaPath);
    errors.push(...structural);
    // Rules are about what the schema describes: they wait until it describes it properly.
    if (structural.length === 0) errors.push(...validateSchemaRules(schema, schemaPath));
    validateSelectableFields(version, schema, `${path}.selectableFields`, errors);
  } else {
    errors.push(required(schemaPath, 'schemas are required'));
  }
  if (isJsonObject(subresources['scale'])) {
    validateScale(subresources['scale'], `${path}.subresources.scale`, errors);
  }
  validateColumns(objectsIn(version['additionalPrinterColumns']), `${path}.additionalPrinterColumns`, errors);
}

function validateDeprecation(version: JsonObject, path: string, errors: FieldError[]): void {
  const warning = version['deprecationWarning'];
  if (typeof warning !== 'string') return;
  const field = `${path}.deprecationWarning`;
  if (version['deprecated'] !== true)
    errors.push(invalid(field, warning, 'can only be set for deprecated versions'));
  if (warning === '') errors.push(invalid(field, warning, 'must not be empty'));
  if (Buffer.byteLength(warning) > 256)
    errors.push(invalid(field, warning, 'must be <= 256 characters long'));
  if (/[\x00-\x1f\x7f]/.test(warning)) {
    errors.push(invalid(field, warning, 'must only contain printable UTF-8 characters'));
  }
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

function validateScale(scale: JsonObject, path: string, errors: FieldError[]): void {
  const check = (name: string, roots: readonly string[], text: string, isRequired: boolean) => {
    const value = textOf(scale[name]);
    const field = `${path}.${name}`;
    if (value === '') {
      if (isRequired) errors.push(required(field));
      return;
    }
    const names = value.startsWith('.') ? plainPath(value) : undefined;
    if (names === undefined) {
      errors.push(
        invalid(field, value, 'is an invalid path: must be a simple json path without array notation'),
      );
    } else if (names.length < 2 || !roots.includes(names[0] as string)) {
      errors.push(invalid(field, value, text));
    }
  };
  check('specReplicasPath', ['spec'], 'should be a json path under .spec', true);
  check('statusReplicasPath', ['status'], 'should be a json path under .status', true);
  check(
    'labelSelectorPath',
    ['spec', 'status'],
    'should be a json path under either .status or .spec',
    false,
  );
}

function validateColumns(columns: readonly JsonObject[], path: string, errors: FieldError[]): void {
  columns.forEach((column, index) => {
    const at = `${path}[${index}]`;
    const type = textOf(column['type']);
    const format = textOf(column['format']);
    const jsonPath = textOf(column['jsonPath']);
    if (textOf(column['name']) === '') errors.push(required(`${at}.name`));
    if (type === '') errors.push(required(`${at}.type`, `must be one of ${columnTypes.join(',')}`));
    else if (!columnTypes.includes(type)) {
      errors.push(invalid(`${at}.type`, type, `must be one of ${columnTypes.join(',')}`));
    }
    if (format !== '' && !columnFormats.includes(format)) {
      errors.push(invalid(`${at}.format`, format, `must be one of ${columnFormats.join(',')}`));
    }
    if (jsonPath === '') {
      errors.push(required(`${at}.jsonPath`));
      return;
    }
    try {
      compileJsonPath(jsonPath);
      if (!/^[.[$]/.test(jsonPath))
        errors.push(invalid(`${at}.jsonPath`, jsonPath, 'is an invalid path: must begin with a dot'));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      errors.push(invalid(`${at}.jsonPath`, jsonPath, `is an invalid path: ${why}`));
    }
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
  if (fields.length > selectableFieldsMax) errors.push(tooMany(path, fields.length, selectableFieldsMax));
  const seen = new Set<string>();
  fields.slice(0, selectableFieldsMax + 1).forEach((field, index) => {
    const at = `${path}[${index}].jsonPath`;
    const jsonPath = textOf(field['jsonPath']);
    if (jsonPath === '') {
      errors.push(required(at));
      return;
    }
    const names = jsonPath.startsWith('.') ? plainPath(jsonPath) : undefined;
    if (names === undefined) {
      errors.push(
        invalid(at, jsonPath, 'is an invalid path: must be a simple json path without array notation'),
      );
      return;
    }
    if (names[0] === 'metadata') {
      errors.push(invalid(at, jsonPath, 'must not point to fields in metadata'));
      return;
    }
    if (seen.has(jsonPath)) errors.push(duplicate(at, jsonPath));
    seen.add(jsonPath);
    const found = schemaAtPath(schema, names);
    if (found === undefined) {
      errors.push(invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field'));
    } else if (!['string', 'boolean', 'integer'].includes(textOf(found['type']))) {
      errors.push(
        invalid(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      );
    }
  });
}

function schemaAtPath(schema: JsonObject, names: readonly string[]): JsonObject | undefined {
  let at: JsonObject = schema;
  for (const name of names) {
    const properties = objectIn(at['properties']);
    const child = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (!isJsonObject(child)) return undefined;
    at = child;
  }
  return at;
}

/** apiextensions validateCustomResourceConversion. */
function validateConversion(conversion: JsonObject, errors: FieldError[]): void {
  const path = 'spec.conversion';
  const strategy = textOf(conversion['strategy']);
  if (strategy === '') errors.push(required(`${path}.strategy`));
  else if (strategy === 'Webhook') {
    const { webhook } = conversion;
    if (!isJsonObject(webhook)) {
      const why = 'required when strategy is set to Webhook';
      errors.push(required(`${path}.webhook.conversionReviewVersions`, why));
      errors.push(required(`${path}.webhook.clientConfig`, why));
      return;
    }
    validateConversionWebhook(webhook, `${path}.webhook`, errors);
  } else if (strategy !== 'None') {
    errors.push(notSupported(`${path}.strategy`, strategy, ['None', 'Webhook']));
  } else if (conversion['webhook'] !== undefined && conversion['webhook'] !== null) {
    errors.push(forbiddenField(`${path}.webhook`, 'should not be set when strategy is not set to Webhook'));
  }
}

function validateConversionWebhook(webhook: JsonObject, path: string, errors: FieldError[]): void {
  const versions = webhook['conversionReviewVersions'];
  if (!Array.isArray(versions) || versions.length === 0) {
    errors.push(required(`${path}.conversionReviewVersions`));
  } else if (!versions.includes('v1')) {
    const why = 'must include at least one of v1';
    errors.push(invalid(`${path}.conversionReviewVersions`, versions, why));
  }
  const { clientConfig } = webhook;
  if (!isJsonObject(clientConfig)) {
    errors.push(required(`${path}.clientConfig`, 'required when strategy is set to Webhook'));
    return;
  }
  checkWebhookClient(errors, `${path}.clientConfig`, clientConfig);
}
