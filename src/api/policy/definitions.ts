import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { clusterResourceBindingDefinition, resourceBindingDefinition } from '../work/resource-binding.ts';
import { clusterOverridePolicyDefinition, overridePolicyDefinition } from './override-policy.ts';
import { clusterPropagationPolicyDefinition, propagationPolicyDefinition } from './propagation-policy.ts';

/** The kinds of placement that a project workspace serves beside Kubernetes' own: policies, overrides, bindings. */
export function projectDefinitions(): readonly ResourceDefinition[] {
  return [
    propagationPolicyDefinition,
    clusterPropagationPolicyDefinition,
    overridePolicyDefinition,
    clusterOverridePolicyDefinition,
    resourceBindingDefinition,
    clusterResourceBindingDefinition,
  ];
}
