import { type FieldError, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, stringSchema } from '../fragments.ts';
import { compileInterpreterRule, type InterpreterOperation } from './interpreter-rules.ts';

export const interpreterCustomizationsGvr = {
  group: 'config.karmada.io',
  version: 'v1alpha1',
  resource: 'resourceinterpretercustomizations',
} as const;

/**
 * config.karmada.io/v1alpha1 ResourceInterpreterCustomization: how objects of one kind are understood, in CEL (PLACEMENT.md 1,
 * interpreter hooks). In a project, or above projects for all below.
 */
export interface ResourceInterpreterCustomization extends KubeObject {
  spec: {
    target: { apiVersion: string; kind: string };
    customizations: { [operation in InterpreterOperation]?: { cel?: string; luaScript?: string } };
  };
}

const sourceLengthMax = 10_000;

const rule: JsonObject = {
  type: 'object',
  properties: {
    cel: { ...stringSchema, description: `The rule, in CEL; at most ${sourceLengthMax} characters.` },
    luaScript: { ...stringSchema, description: 'Refused: Lua is not run here; write the rule as cel.' },
  },
};

const ruleTexts: { readonly [operation in InterpreterOperation]: string } = {
  replicaResource:
    "How many replicas object has: an int, or with what one asks for {'replicas': 3, 'requires': {'cpu': '500m'}}, and 'nodeClaim' where only some nodes will do. Required beside replicaRevision.",
  replicaRevision: 'A merge patch by which object has so many replicas. Required beside replicaResource.',
  statusReflection: "What of a copy's status is gathered, as a map; object is the copy.",
  statusAggregation:
    'The status of object, made of items: of each cell clusterName, status, applied and health.',
  healthInterpretation: 'Whether a copy is healthy, as a bool; object is the copy.',
  dependencyInterpretation:
    "What object needs of its namespace and propagateDeps takes along, as a list of {'kind': 'Secret', 'name': 'x'}.",
  retention:
    "Fields that an edge which has object keeps as they are there, as a list of JSON pointers: ['/spec/paused'].",
};

/** Karmada's hooks that nothing is done for here, and why. */
const refusedOperations = {
  componentResource:
    'components are not placed one by one: say with replicaResource how many replicas there are and what one asks for',
} as const;

export const interpreterCustomizationDefinition: ResourceDefinition = defineResource({
  group: interpreterCustomizationsGvr.group,
  kind: 'ResourceInterpreterCustomization',
  plural: interpreterCustomizationsGvr.resource,
  shortNames: ['ric'],
  categories: ['karmada-io'],
  namespaced: false,
  versions: [
    {
      name: interpreterCustomizationsGvr.version,
      columns: [
        { name: 'Target-Api-Version', type: 'string', jsonPath: '.spec.target.apiVersion' },
        { name: 'Target-Kind', type: 'string', jsonPath: '.spec.target.kind' },
        ageColumn,
      ],
      schema: kindSchema(
        'How objects of a kind are understood.',
        {
          spec: {
            type: 'object',
            description: 'Which kind, and by which rules.',
            required: ['target', 'customizations'],
            properties: {
              target: {
                type: 'object',
                description: 'The kind whose objects the rules are for.',
                required: ['apiVersion', 'kind'],
                properties: {
                  apiVersion: {
                    type: 'string',
                    minLength: 1,
                    description: 'Its group and version, like apps/v1; of these the group alone counts.',
                  },
                  kind: { type: 'string', minLength: 1, description: 'Its name.' },
                },
              },
              customizations: {
                type: 'object',
                description:
                  'The rules. Where there is none, or one fails, which the binding tells as InterpretationFailed, objects are understood as without the customization.',
                properties: Object.fromEntries(
                  [
                    ...Object.entries(ruleTexts),
                    ...Object.entries(refusedOperations).map(([name, why]) => [name, `Refused: ${why}.`]),
                  ].map(([name, description]) => [name, { ...rule, description }]),
                ),
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
  strategy: {
    validate: (object) => validateCustomization(object as ResourceInterpreterCustomization),
    validateUpdate: (object) => validateCustomization(object as ResourceInterpreterCustomization),
  },
});

export function validateCustomization({ spec }: ResourceInterpreterCustomization): FieldError[] {
  const errors: FieldError[] = [];
  const customizations: JsonObject = isJsonObject(spec?.customizations) ? spec.customizations : {};
  for (const [operation, value] of Object.entries(customizations)) {
    const at = `spec.customizations.${operation}`;
    const { luaScript = '', cel = '' } = isJsonObject(value) ? value : {};
    const refusal = Object.hasOwn(refusedOperations, operation)
      ? refusedOperations[operation as keyof typeof refusedOperations]
      : undefined;
    if (luaScript !== '') {
      errors.push(forbiddenField(`${at}.luaScript`, 'Lua is not run here; write the rule in CEL, as `cel`'));
    } else if (refusal !== undefined) {
      errors.push(forbiddenField(at, refusal));
    } else if (typeof cel !== 'string' || cel === '') {
      errors.push(required(`${at}.cel`));
    } else if (cel.length > sourceLengthMax) {
      errors.push(invalid(`${at}.cel`, `${cel.slice(0, 20)}…`, `longer than ${sourceLengthMax} characters`));
    } else {
      try {
        compileInterpreterRule(operation as InterpreterOperation, cel);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        errors.push(invalid(`${at}.cel`, cel, error.message));
      }
    }
  }
  if (Object.hasOwn(customizations, 'replicaResource') !== Object.hasOwn(customizations, 'replicaRevision')) {
    const missing = Object.hasOwn(customizations, 'replicaResource') ? 'replicaRevision' : 'replicaResource';
    errors.push(
      required(`spec.customizations.${missing}`, 'replicas that are read must be written, and vice versa'),
    );
  }
  return errors;
}
