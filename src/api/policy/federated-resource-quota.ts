import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { isQuantity, parseQuantity } from '#apimachinery/quantity.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import { conditionsSchema, kindSchema, quantityMapSchema } from '../fragments.ts';
import { policyGroup, policyVersion } from './group.ts';

export const federatedResourceQuotasGvr = {
  group: policyGroup,
  version: policyVersion,
  resource: 'federatedresourcequotas',
} as const;

export interface ResourceAmounts extends JsonObject {
  [resource: string]: string | number;
}

/** Where quotas stand that are for all namespaces of a project. */
export const projectQuotasNamespace = 'kube-system';

/**
 * policy.karmada.io/v1alpha1 FederatedResourceQuota: what the objects of a namespace, or of a project, may ask for over all
 * cells together, and in single ones. Enforced when objects are placed, and what is assigned to single ones at their edges too
 * (PLACEMENT.md 1).
 */
export interface FederatedResourceQuota extends KubeObject {
  spec: {
    /** Ours. Default: Namespace. */
    scope?: 'Namespace' | 'Project';
    overall?: ResourceAmounts;
    staticAssignments?: { clusterName: string; hard: ResourceAmounts }[];
  };
  status?: {
    overall?: ResourceAmounts;
    overallUsed?: ResourceAmounts;
    aggregatedStatus?: { clusterName: string; hard: ResourceAmounts; used: ResourceAmounts }[];
    /** `NameCollision`: at an edge something of another origin lies where a ResourceQuota should. */
    conditions?: Condition[];
  };
}

export const federatedResourceQuotaDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'FederatedResourceQuota',
  plural: federatedResourceQuotasGvr.resource,
  shortNames: ['frq'],
  categories: ['karmada-io'],
  namespaced: true,
  versions: [
    {
      name: policyVersion,
      subresources: { status: true },
      columns: [
        { name: 'Overall', type: 'string', jsonPath: '.status.overall' },
        { name: 'Overall_used', type: 'string', jsonPath: '.status.overallUsed' },
        ageColumn,
      ],
      schema: kindSchema(
        'What the objects of the namespace, or of the project, may ask for in all cells together.',
        {
          spec: {
            type: 'object',
            description: 'What may be asked for. A limit that is lowered takes nothing away.',
            properties: {
              scope: {
                type: 'string',
                enum: ['Namespace', 'Project'],
                description:
                  'Whose objects are counted: those of its namespace, or of all namespaces of the project; the latter is refused elsewhere than in kube-system. Default Namespace.',
              },
              overall: {
                ...quantityMapSchema,
                description:
                  'Over all cells together: cpu, memory, ephemeral-storage, pods and extended resources, each also as requests.<name>. What would grow beyond is not placed. Absent: no limit.',
              },
              staticAssignments: {
                type: 'array',
                description:
                  'In single cells, besides overall. Absent: no limit. Refused where the scope is Project.',
                maxItems: 1_000,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['clusterName', 'hard'],
                  properties: {
                    clusterName: {
                      type: 'string',
                      minLength: 1,
                      description: 'Name of the cell; each once.',
                    },
                    hard: {
                      ...quantityMapSchema,
                      description:
                        'As overall, for the cell; it also lies in the namespace there as a ResourceQuota of the same name. Other names that one may have, like count/jobs.batch, are held at the edge alone.',
                    },
                  },
                },
              },
            },
          },
          status: {
            type: 'object',
            description: 'What is used; written by the scheduler.',
            properties: {
              overall: {
                ...quantityMapSchema,
                description: 'spec.overall, by which overallUsed was counted.',
              },
              overallUsed: {
                ...quantityMapSchema,
                description: 'What placed objects ask for over all cells: replicas times requests.',
              },
              conditions: {
                ...conditionsSchema,
                description:
                  'NameCollision: at an edge something of another origin lies where a ResourceQuota should.',
              },
              aggregatedStatus: {
                type: 'array',
                description: 'The same of each cell in spec.staticAssignments. Absent without these.',
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['clusterName'],
                  properties: {
                    clusterName: { type: 'string', minLength: 1, description: 'Name of the cell.' },
                    hard: { ...quantityMapSchema, description: 'What is assigned to it.' },
                    used: {
                      ...quantityMapSchema,
                      description:
                        'What placed objects ask for there. Names that the edge alone counts are not told.',
                    },
                  },
                },
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
  strategy: {
    validate: (object) => validateQuota(object as FederatedResourceQuota),
    validateUpdate: (object) => validateQuota(object as FederatedResourceQuota),
  },
});

/**
 * The resource that pods request which a quota's name stands for, as in Kubernetes' ResourceQuota: `cpu` and `requests.cpu`
 * are one. Undefined for what is not counted when objects are placed.
 */
export function requestedResource(quotaName: string): string | undefined {
  const name = quotaName.startsWith('requests.') ? quotaName.slice('requests.'.length) : quotaName;
  if (name === 'cpu' || name === 'memory' || name === 'pods' || name === 'ephemeral-storage') return name;
  // An extended resource is qualified by a domain.
  return name.includes('/') && !name.startsWith('count/') && !name.startsWith('limits.') ? name : undefined;
}

const countedNames = [
  'cpu',
  'memory',
  'ephemeral-storage',
  'pods',
  'requests.<resource>',
  '<domain>/<resource>',
];

function validateQuota({ metadata, spec }: FederatedResourceQuota): FieldError[] {
  const errors: FieldError[] = [];
  if (spec === undefined) return [required('spec')];
  if (spec.scope === 'Project') {
    // Who may write in one namespace has no say over the others.
    if (metadata.namespace !== projectQuotasNamespace)
      errors.push(
        forbiddenField('spec.scope', `Project may be set in the namespace ${projectQuotasNamespace} alone`),
      );
    if ((spec.staticAssignments ?? []).length > 0)
      errors.push(
        forbiddenField('spec.staticAssignments', 'a ResourceQuota at an edge bounds one namespace alone'),
      );
  }
  validateAmounts(spec.overall, 'spec.overall', isCounted, errors);
  const seen = new Set<string>();
  spec.staticAssignments?.forEach(({ clusterName, hard }, i) => {
    const at = `spec.staticAssignments[${i}]`;
    if (seen.has(clusterName)) errors.push(duplicate(`${at}.clusterName`, clusterName));
    seen.add(clusterName);
    validateAmounts(hard, `${at}.hard`, isQuotaName, errors);
  });
  return errors;
}

const isCounted = (name: string): boolean => requestedResource(name) !== undefined;

/** What the edge counts beside: its ResourceQuota holds it, whether or not it is looked at when objects are placed. */
function isQuotaName(name: string): boolean {
  return isCounted(name) || labelKey(name).length === 0;
}

function validateAmounts(
  amounts: ResourceAmounts | undefined,
  path: string,
  mayBe: (name: string) => boolean,
  errors: FieldError[],
): void {
  for (const [name, amount] of Object.entries(amounts ?? {})) {
    const at = `${path}[${name}]`;
    if (!mayBe(name)) errors.push(notSupported(at, name, countedNames));
    else if (!isQuantity(amount)) errors.push(invalid(at, amount, 'must be a quantity'));
    else if (parseQuantity(amount).nano < 0n) errors.push(invalid(at, amount, 'must not be negative'));
  }
}
