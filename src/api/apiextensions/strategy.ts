import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { versionsOf } from './crd.ts';
import { defaultCrd, markDeletedCrd, prepareChangedCrd, prepareNewCrd } from './default-crd.ts';
import { validateCrd, validateCrdUpdate } from './validate-crd.ts';
import { unknownFormats } from './validate-schema.ts';

const warningsMax = 20;

function crdWarnings(crd: KubeObject): string[] {
  const warnings = versionsOf(crd).flatMap(({ openApiV3Schema }) =>
    openApiV3Schema === undefined ? [] : unknownFormats(openApiV3Schema),
  );
  return [...new Set(warnings)].slice(0, warningsMax);
}

/** How apiextensions.k8s.io/v1 CustomResourceDefinition differs from other kinds (KUBERNETES.md R1, R2). */
export const customResourceDefinitionStrategy: Strategy = {
  defaults: defaultCrd,
  prepareForCreate: prepareNewCrd,
  prepareForUpdate: prepareChangedCrd,
  validate: validateCrd,
  validateUpdate: validateCrdUpdate,
  warnings: crdWarnings,
  markDeleted: markDeletedCrd,
};
