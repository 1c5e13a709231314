import { duplicate, type FieldError, invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, Strategy } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { integerSchema, kindSchema, stringSchema, timeSchema } from '../fragments.ts';

export const workloadRebalancersGvr = {
  group: 'apps.karmada.io',
  version: 'v1alpha1',
  resource: 'workloadrebalancers',
} as const;

/** An object whose placement is to be decided afresh. */
export interface RebalancedWorkload extends JsonObject {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
}

export interface ObservedWorkload extends JsonObject {
  workload: RebalancedWorkload;
  result?: 'Successful' | 'Failed';
  reason?: string;
}

/**
 * apps.karmada.io/v1alpha1 WorkloadRebalancer: asks once for fresh decisions about some objects of the project, and tells
 * for each what came of it. Cluster-scoped.
 */
export interface WorkloadRebalancer extends KubeObject {
  spec: { workloads: RebalancedWorkload[]; ttlSecondsAfterFinished?: number } & JsonObject;
  status?: {
    observedWorkloads?: ObservedWorkload[];
    observedGeneration?: number;
    finishTime?: string;
  } & JsonObject;
}

const workloadsMax = 10_000;

const workload: JsonObject = {
  type: 'object',
  required: ['apiVersion', 'kind', 'name'],
  properties: {
    apiVersion: {
      type: 'string',
      minLength: 1,
      description: 'Group and version of the object, like apps/v1.',
    },
    kind: { type: 'string', minLength: 1, description: 'Its kind.' },
    name: { type: 'string', minLength: 1, description: 'Its name.' },
    namespace: { ...stringSchema, description: 'Its namespace. Has no effect here: for kinds without one.' },
  },
};

const strategy: Strategy = {
  validate: (object) => validateWorkloadRebalancer(object as WorkloadRebalancer),
  validateUpdate: (object) => validateWorkloadRebalancer(object as WorkloadRebalancer),
};

export const workloadRebalancerDefinition: ResourceDefinition = defineResource({
  group: workloadRebalancersGvr.group,
  kind: 'WorkloadRebalancer',
  plural: workloadRebalancersGvr.resource,
  namespaced: false,
  versions: [
    {
      name: workloadRebalancersGvr.version,
      columns: [{ name: 'Finished', type: 'date', jsonPath: '.status.finishTime' }, ageColumn],
      subresources: { status: true },
      schema: kindSchema(
        'Asks for fresh decisions about the placement of some objects.',
        {
          spec: {
            type: 'object',
            description: 'What is decided afresh, once.',
            required: ['workloads'],
            properties: {
              workloads: {
                type: 'array',
                description:
                  'Objects of the project; each once. They are decided as if they were nowhere; what cannot be stays as it is.',
                minItems: 1,
                maxItems: workloadsMax,
                'x-kubernetes-list-type': 'atomic',
                items: workload,
              },
              ttlSecondsAfterFinished: {
                type: 'integer',
                format: 'int32',
                minimum: 0,
                description:
                  'Seconds from status.finishTime after which the rebalancer is deleted. Absent: never.',
              },
            },
          },
          status: {
            type: 'object',
            description: 'What came of it; written by the scheduler.',
            properties: {
              observedWorkloads: {
                type: 'array',
                description: 'Of each of spec.workloads, in the same order.',
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['workload'],
                  properties: {
                    workload: { ...workload, description: 'The object.' },
                    result: {
                      type: 'string',
                      enum: ['Successful', 'Failed'],
                      description:
                        'Successful: it was decided. Failed: it could not be asked for. Absent: not yet.',
                    },
                    reason: {
                      ...stringSchema,
                      description: 'Why it failed: ReferencedBindingNotFound or ReferencedKindNotServed.',
                    },
                  },
                },
              },
              observedGeneration: {
                ...integerSchema,
                description: 'metadata.generation of what was finished.',
              },
              finishTime: {
                ...timeSchema,
                description: 'When all had a result. Absent: some have none yet.',
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
  strategy,
});

export function validateWorkloadRebalancer({ spec }: WorkloadRebalancer): FieldError[] {
  if (spec === undefined) return [required('spec')];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  spec.workloads?.forEach((one, i) => {
    const { apiVersion, kind, namespace = '', name } = one;
    const at = `spec.workloads[${i}]`;
    if (apiVersion.split('/').length > 2)
      errors.push(invalid(`${at}.apiVersion`, apiVersion, 'must be <version> or <group>/<version>'));
    const identity = `${apiVersion} ${kind} ${namespace}/${name}`;
    if (seen.has(identity)) errors.push(duplicate(at, identity));
    seen.add(identity);
  });
  return errors;
}
