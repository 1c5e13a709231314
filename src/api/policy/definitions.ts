import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { clusterResourceBindingDefinition, resourceBindingDefinition } from '../work/resource-binding.ts';
import { templateRevisionDefinition } from '../work/template-revision.ts';
import { federatedResourceQuotaDefinition } from './federated-resource-quota.ts';
import { clusterOverridePolicyDefinition, overridePolicyDefinition } from './override-policy.ts';
import {
  clusterPropagationPolicyDefinition,
  inheritedPropagationPolicyDefinition,
  propagationPolicyDefinition,
} from './propagation-policy.ts';
import { interpreterCustomizationDefinition } from './resource-interpreter-customization.ts';
import { workloadRebalancerDefinition } from './workload-rebalancer.ts';

/** The kinds of placement that a project workspace serves beside Kubernetes' own: policies, overrides, bindings, rebalancers. */
export function projectDefinitions(): readonly ResourceDefinition[] {
  return [
    propagationPolicyDefinition,
    clusterPropagationPolicyDefinition,
    overridePolicyDefinition,
    clusterOverridePolicyDefinition,
    resourceBindingDefinition,
    clusterResourceBindingDefinition,
    workloadRebalancerDefinition,
    federatedResourceQuotaDefinition,
    templateRevisionDefinition,
    interpreterCustomizationDefinition,
  ];
}

/** What root and organizations serve for all projects below them: policies, overrides and interpretations that these inherit. */
export function inheritedDefinitions(): readonly ResourceDefinition[] {
  return [
    inheritedPropagationPolicyDefinition,
    clusterOverridePolicyDefinition,
    interpreterCustomizationDefinition,
  ];
}
