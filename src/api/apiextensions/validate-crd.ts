import { type FieldError, invalid, notSupported, required, tooMany } from '#apimachinery/field-error.ts';
import {
  asObject,
  asObjects,
  asText,
  equalJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '#apimachinery/json.ts';
import { dns1035Label, dns1123Subdomain } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  apiApprovedAnnotation,
  approvalOf,
  hasCondition,
  isProtectedGroup,
  namesOf,
  specOf,
  storedVersionsOf,
} from './crd.ts';
import { validateConversion } from './validate-conversion.ts';
import {
  validateColumns,
  validateDeprecation,
  validateScale,
  validateSelectableFields,
  validateVersionSchema,
} from './validate-version.ts';

const versionsMax = 100;

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
  // Whoever migrates objects says there what is stored: that it fits is asked of who changes the versions.
  if (subresource === 'status') return [];
  const spec = specOf(crd);
  const oldSpec = specOf(old);
  const errors = equalJson(spec, oldSpec) ? [] : validateSpec(spec);
  const immutable = (field: string, value: JsonValue | undefined, before: JsonValue | undefined) => {
    if (!equalJson(value, before)) errors.push(invalid(field, value ?? '', 'field is immutable'));
  };
  const names = asObject(spec['names']);
  const oldNames = asObject(oldSpec['names']);
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
  const wanted = `${asText(asObject(spec['names'])['plural'])}.${asText(spec['group'])}`;
  // That there must be a name is said elsewhere.
  if (crd.metadata.name === wanted || (crd.metadata.name ?? '') === '') return [];
  return [invalid('metadata.name', crd.metadata.name ?? '', 'must be spec.names.plural+"."+spec.group')];
}

function validateApproval(crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (!isProtectedGroup(asText(specOf(crd)['group']))) return [];
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
  const versions = asObjects(specOf(crd)['versions']);
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
  validateGroup(asText(spec['group']), errors);
  const scope = asText(spec['scope']);
  if (scope === '') errors.push(required('spec.scope'));
  else if (scope !== 'Cluster' && scope !== 'Namespaced') {
    errors.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  }
  validateNames(spec['names'], errors);
  validateVersions(spec, errors);
  validateConversion(asObject(spec['conversion']), errors);
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
  const versions = asObjects(spec['versions']);
  const path = 'spec.versions';
  if (versions.length > versionsMax) {
    errors.push(tooMany(path, versions.length, versionsMax));
    return;
  }
  const shared = new Set<SharedMember>();
  for (const member of Object.keys(sharedMembers) as SharedMember[]) {
    if (versions.length > 0 && isShared(versions, member)) shared.add(member);
  }
  const hasStatus = (version: JsonObject) => isJsonObject(asObject(version['subresources'])['status']);
  versions.forEach((version, index) => {
    const at = `${path}[${index}]`;
    const name = asText(version['name']);
    const wrong = dns1035Label(name);
    if (wrong.length > 0) errors.push(invalid(`${at}.name`, name, wrong.join(',')));
    if (!isJsonObject(asObject(version['schema'])['openAPIV3Schema'])) {
      errors.push(required(`${at}.schema.openAPIV3Schema`));
    }
    validateDeprecation(version, at, errors);
    for (const member of Object.keys(sharedMembers) as SharedMember[]) {
      if (shared.has(member)) continue;
      const place = { path: `${at}.${member}`, isShared: false, hasSchema: !shared.has('schema') };
      validateMember(version, member, place, hasStatus(version), errors);
    }
  });
  // Whole versions, as Kubernetes' own form of them prints.
  const shown = (spec['versions'] ?? null) === null ? null : versions.map((one) => goVersion(one, shared));
  const names = versions.map((version) => asText(version['name']));
  if (new Set(names).size !== names.length) {
    errors.push(invalid(path, shown, 'must contain unique version names'));
  }
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(invalid(path, shown, 'must have exactly one version marked as storage version'));
  }
  const [first] = versions;
  if (first === undefined) return;
  const name = asText(first['name']);
  const wrong = name === '' ? [] : dns1035Label(name);
  if (wrong.length > 0) errors.push(invalid('spec.version', name, wrong.join(',')));
  for (const member of shared) {
    const path = `spec.${sharedMembers[member]}`;
    const place = { path, isShared: true, hasSchema: shared.has('schema') };
    validateMember(first, member, place, versions.some(hasStatus), errors);
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

interface MemberPlace {
  readonly path: string;
  /** Whether it stands under spec, for all versions. */
  readonly isShared: boolean;
  /** Whether the schema stands where it does: else there is none to look at. */
  readonly hasSchema: boolean;
}

const withoutSchema = {
  shared: 'may only be set when validations.schema is included',
  // Kubernetes says it the wrong way round.
  own: 'may only be set when `version.schema.openAPIV3Schema` is not included',
};

function validateMember(
  version: JsonObject,
  member: SharedMember,
  { path, isShared, hasSchema }: MemberPlace,
  hasStatus: boolean,
  errors: FieldError[],
): void {
  const schema = asObject(version['schema'])['openAPIV3Schema'];
  switch (member) {
    case 'schema':
      if (isJsonObject(schema)) validateVersionSchema(schema, `${path}.openAPIV3Schema`, hasStatus, errors);
      return;
    case 'subresources': {
      const scale = asObject(version['subresources'])['scale'];
      if (isJsonObject(scale)) validateScale(scale, `${path}.scale`, errors);
      return;
    }
    case 'additionalPrinterColumns':
      validateColumns(asObjects(version['additionalPrinterColumns']), path, errors);
      return;
    default:
      if (asObjects(version['selectableFields']).length === 0) return;
      if (isJsonObject(schema) && hasSchema) validateSelectableFields(version, schema, path, errors);
      else errors.push(invalid(path, '', isShared ? withoutSchema.shared : withoutSchema.own));
  }
}
