import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { versionsOf } from './crd.ts';
import { defaultCrd, prepareChangedCrd, prepareNewCrd } from './default-crd.ts';
import { validateCrd, validateCrdUpdate } from './validate-crd.ts';
import { schemaWarnings } from './validate-schema.ts';

/** Two versions with one warning say it once, each of its own. */
const warningsMax = 20;

function crdWarnings(crd: KubeObject): string[] {
  const warnings: string[] = [];
  versionsOf(crd).forEach((version, index) => {
    if (version.openApiV3Schema === undefined) return;
    const path = `spec.versions[${index}].schema.openAPIV3Schema`;
    warnings.push(...schemaWarnings(version.openApiV3Schema, path));
  });
  return warnings.slice(0, warningsMax);
}

/** How apiextensions.k8s.io/v1 CustomResourceDefinition differs from other kinds (KUBERNETES.md R1, R2). */
export const customResourceDefinitionStrategy: Strategy = {
  defaults: defaultCrd,
  prepareForCreate: prepareNewCrd,
  prepareForUpdate: prepareChangedCrd,
  validate: validateCrd,
  validateUpdate: validateCrdUpdate,
  warnings: crdWarnings,
};
