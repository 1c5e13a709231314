import { required } from '#apimachinery/field-error.ts';
import { objectsAt, textAt, textsAt } from '../read.ts';
import {
  checkActions,
  checkMutatedOperations,
  checkMutatingPolicy,
  checkPolicyBinding,
  checkValidatingPolicy,
} from './admission-policies.ts';
import { webhookRule } from './admission-webhooks.ts';
import { type Rule, rule } from './rule.ts';
import { checkStatusConditions } from './status-conditions.ts';

const group = 'admissionregistration.k8s.io';

/**
 * admissionregistration (source: Kubernetes' pkg/apis/admissionregistration/validation): the structure alone. CEL
 * expressions are the API server's to compile, when the object is written, and to evaluate (apiserver/admission/policies).
 */
export const admissionRules: { readonly [groupResource: string]: Rule } = {
  [`validatingwebhookconfigurations.${group}`]: webhookRule(false),
  [`mutatingwebhookconfigurations.${group}`]: webhookRule(true),
  [`validatingadmissionpolicies.${group}`]: rule({
    always: checkValidatingPolicy,
    status: (errors, policy) => {
      objectsAt(policy, 'status', 'typeChecking', 'expressionWarnings').forEach((warning, i) => {
        const at = `status.typeChecking.expressionWarnings[${i}]`;
        if (textAt(warning, 'warning') === '') errors.push(required(`${at}.warning`));
        if (textAt(warning, 'fieldRef').trim() === '') errors.push(required(`${at}.fieldRef`));
      });
      checkStatusConditions(errors, 'status.conditions', objectsAt(policy, 'status', 'conditions'), Infinity);
    },
  }),
  [`validatingadmissionpolicybindings.${group}`]: rule({
    always: (errors, binding) => {
      checkPolicyBinding(errors, binding);
      checkActions(errors, textsAt(binding, 'spec', 'validationActions'));
    },
  }),
  [`mutatingadmissionpolicies.${group}`]: rule({
    always: checkMutatingPolicy,
  }),
  [`mutatingadmissionpolicybindings.${group}`]: rule({
    always: (errors, binding) => {
      checkPolicyBinding(errors, binding);
      checkMutatedOperations(errors, binding, 'matchResources');
    },
  }),
};
