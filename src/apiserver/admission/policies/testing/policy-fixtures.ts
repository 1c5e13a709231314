import type { JsonObject } from '#apimachinery/json.ts';
import type { Authorizer } from '../../../authz/authorizer.ts';
import { Harness } from '../../../verbs/testing/harness.ts';
import type { AdmissionMetrics } from '../../admission-metrics.ts';
import { NotEnforced } from '../../not-enforced.ts';
import { MutatingPolicies } from '../mutating-policies.ts';
import { ValidatingPolicies } from '../validating-policies.ts';

export const configurations = '/apis/admissionregistration.k8s.io/v1';
export const maps = '/api/v1/namespaces/default/configmaps';
export const apiVersion = 'admissionregistration.k8s.io/v1';

export function configMap(name: string, data: JsonObject = {}, labels: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
}

export function rules(more: JsonObject = {}): JsonObject {
  return {
    resourceRules: [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'], ...more },
    ],
  };
}

/** Allows nothing. */
export const never: Authorizer = { authorize: () => ({ decision: 'noOpinion', reason: 'nobody may' }) };

/** With the policies of both kinds; `other` is a further workspace. */
export function openWithPolicies(
  authorizer: Authorizer = never,
  metrics?: AdmissionMetrics,
): Promise<Harness> {
  return Harness.open({
    workspaces: [{ id: 'other' as never, path: 'other' }],
    plugins: (storage) => [
      new MutatingPolicies({ storage, authorizer, metrics }),
      new ValidatingPolicies({ storage, authorizer, metrics }),
      new NotEnforced(),
    ],
  });
}

/** A policy with its binding; what the writer of the policy is warned of. */
export async function bind(
  harness: Harness,
  spec: JsonObject,
  binding: JsonObject = {},
  kind: 'Validating' | 'Mutating' = 'Validating',
  name = 'p',
): Promise<readonly string[]> {
  const resource = `${configurations}/${kind.toLowerCase()}admissionpolic`;
  const { warnings } = await harness.post(`${resource}ies`, {
    apiVersion,
    kind: `${kind}AdmissionPolicy`,
    metadata: { name },
    spec: { matchConstraints: rules(), ...spec },
  });
  await harness.post(`${resource}ybindings`, {
    apiVersion,
    kind: `${kind}AdmissionPolicyBinding`,
    metadata: { name: `${name}-b` },
    spec: { policyName: name, ...(kind === 'Validating' ? { validationActions: ['Deny'] } : {}), ...binding },
  });
  return warnings;
}
