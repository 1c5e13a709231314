/** Karmada's group, whose kinds we serve in project workspaces (PLACEMENT.md 1). */
export const policyGroup = 'policy.karmada.io';
export const policyVersion = 'v1alpha1';

const gvr = (resource: string) => ({ group: policyGroup, version: policyVersion, resource }) as const;

export const propagationPoliciesGvr = gvr('propagationpolicies');
export const clusterPropagationPoliciesGvr = gvr('clusterpropagationpolicies');
export const overridePoliciesGvr = gvr('overridepolicies');
export const clusterOverridePoliciesGvr = gvr('clusteroverridepolicies');
