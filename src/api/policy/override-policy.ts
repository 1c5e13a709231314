import { type FieldError, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, Strategy } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema } from '../fragments.ts';
import { policyGroup, policyVersion } from './group.ts';
import { overrideSpecSchema } from './override-schema.ts';
import type { Overriders, OverrideSpec } from './placement.ts';
import { unusedOverrideFields } from './unused-fields.ts';
import { validateAffinity, validateResourceSelectors } from './validate-placement.ts';

/** policy.karmada.io/v1alpha1 OverridePolicy; ClusterOverridePolicy where it has no namespace. */
export interface OverridePolicy extends KubeObject {
  spec: OverrideSpec;
}

const strategy: Strategy = {
  defaults: setDefaults,
  validate: (object) => validateOverridePolicy(object as OverridePolicy),
  validateUpdate: (object) => validateOverridePolicy(object as OverridePolicy),
  warnings: unusedOverrideFields,
};

export const overridePolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'OverridePolicy',
  plural: 'overridepolicies',
  shortNames: ['op'],
  categories: ['karmada-io'],
  namespaced: true,
  versions: [
    {
      name: policyVersion,
      columns: [ageColumn],
      schema: kindSchema('How objects of its namespace differ by cell.', { spec: overrideSpecSchema }, [
        'spec',
      ]),
    },
  ],
  strategy,
});

export const clusterOverridePolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'ClusterOverridePolicy',
  plural: 'clusteroverridepolicies',
  shortNames: ['cop'],
  categories: ['karmada-io'],
  namespaced: false,
  versions: [
    {
      name: policyVersion,
      columns: [ageColumn],
      schema: kindSchema('How objects of the project differ by cell.', { spec: overrideSpecSchema }, [
        'spec',
      ]),
    },
  ],
  strategy,
});

function setDefaults(object: KubeObject): void {
  const { spec, metadata } = object as OverridePolicy;
  if (metadata.namespace === undefined || !Array.isArray(spec?.resourceSelectors)) return;
  for (const selector of spec.resourceSelectors) {
    if (typeof selector === 'object' && selector !== null && (selector.namespace ?? '') === '') {
      selector.namespace = metadata.namespace;
    }
  }
}

export function validateOverridePolicy(policy: OverridePolicy): FieldError[] {
  const { spec, metadata } = policy;
  const errors: FieldError[] = [];
  if (spec === undefined) return [required('spec')];
  validateResourceSelectors(spec.resourceSelectors, 'spec.resourceSelectors', metadata.namespace, errors);
  const isOldForm = spec.overriders !== undefined && Object.keys(spec.overriders).length > 0;
  if (isOldForm || spec.targetCluster !== undefined) {
    if ((spec.overrideRules?.length ?? 0) > 0)
      errors.push(forbiddenField('spec.overriders', 'may not be set beside overrideRules'));
    validateAffinity(spec.targetCluster, 'spec.targetCluster', errors);
    validateOverriders(spec.overriders ?? {}, 'spec.overriders', errors);
  } else if ((spec.overrideRules?.length ?? 0) === 0) {
    errors.push(required('spec.overrideRules'));
  }
  spec.overrideRules?.forEach((rule, i) => {
    const at = `spec.overrideRules[${i}]`;
    validateAffinity(rule.targetCluster, `${at}.targetCluster`, errors);
    validateOverriders(rule.overriders, `${at}.overriders`, errors);
  });
  return errors;
}

function validateOverriders(overriders: Overriders, path: string, errors: FieldError[]): void {
  overriders.fieldOverrider?.forEach(({ fieldPath, json, yaml }, i) => {
    const at = `${path}.fieldOverrider[${i}]`;
    validateOverridden(fieldPath, `${at}.fieldPath`, errors);
    if (json !== undefined && yaml !== undefined)
      errors.push(forbiddenField(`${at}.yaml`, 'may not be set beside json'));
    for (const [field, patches] of [['json', json] as const, ['yaml', yaml] as const]) {
      patches?.forEach(({ subPath, operator, value }, p) => {
        validatePointer(subPath, `${at}.${field}[${p}].subPath`, errors);
        if (operator !== 'remove' && value === undefined) errors.push(required(`${at}.${field}[${p}].value`));
      });
    }
  });
  overriders.imageOverrider?.forEach(({ predicate, operator, value }, i) => {
    const at = `${path}.imageOverrider[${i}]`;
    if (predicate !== undefined) validatePointer(predicate.path, `${at}.predicate.path`, errors);
    if (operator !== 'remove' && (value ?? '') === '') errors.push(required(`${at}.value`));
  });
  for (const field of ['labelsOverrider', 'annotationsOverrider'] as const) {
    overriders[field]?.forEach(({ value }, i) => {
      for (const key of Object.keys(value ?? {})) {
        if (isReserved(key)) {
          errors.push(
            forbiddenField(`${path}.${field}[${i}].value[${key}]`, 'the key belongs to the copy contract'),
          );
        }
      }
    });
  }
  overriders.plaintext?.forEach(({ path: pointer, operator, value }, i) => {
    const at = `${path}.plaintext[${i}]`;
    validateOverridden(pointer, `${at}.path`, errors);
    if (operator !== 'remove' && value === undefined) errors.push(required(`${at}.value`));
  });
}

function validateOverridden(pointer: string, path: string, errors: FieldError[]): void {
  validatePointer(pointer, path, errors);
  const own = /^\/(metadata\/(name|namespace|uid|finalizers|ownerReferences)|apiVersion|kind|status)(\/|$)/;
  if (own.test(pointer))
    errors.push(forbiddenField(path, "a copy's identity and status may not be overridden"));
}

function validatePointer(pointer: string, path: string, errors: FieldError[]): void {
  if (!pointer.startsWith('/')) errors.push(invalid(path, pointer, 'must be a JSON pointer (RFC 6901)'));
}

function isReserved(key: string): boolean {
  return key.startsWith('federation.cellplane.io/');
}
