import { duplicate, type FieldError, invalid, notSupported, required } from '#apimachinery/field-error.ts';
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

/**
 * policy.karmada.io/v1alpha1 FederatedResourceQuota: what the objects of a namespace may ask for over all cells together, and
 * in single ones. Enforced when objects are placed, and what is assigned to single ones at their edges too (PLACEMENT.md 1).
 */
export interface FederatedResourceQuota extends KubeObject {
  spec: {
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
        'What the objects of the namespace may ask for in all cells together.',
        {
          spec: {
            type: 'object',
            properties: {
              overall: quantityMapSchema,
              staticAssignments: {
                type: 'array',
                maxItems: 1_000,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['clusterName', 'hard'],
                  properties: { clusterName: { type: 'string', minLength: 1 }, hard: quantityMapSchema },
                },
              },
            },
          },
          status: {
            type: 'object',
            properties: {
              overall: quantityMapSchema,
              overallUsed: quantityMapSchema,
              conditions: conditionsSchema,
              aggregatedStatus: {
                type: 'array',
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['clusterName'],
                  properties: {
                    clusterName: { type: 'string', minLength: 1 },
                    hard: quantityMapSchema,
                    used: quantityMapSchema,
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

function validateQuota({ spec }: FederatedResourceQuota): FieldError[] {
  const errors: FieldError[] = [];
  if (spec === undefined) return [required('spec')];
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
