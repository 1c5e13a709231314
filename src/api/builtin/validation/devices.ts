import { invalid } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { objectAt, objectsAt, valueAt } from '../read.ts';
import { checkImmutable } from './common.ts';
import { checkConfigs, checkDeviceClaimSpec, checkDeviceClaimStatus } from './device-claims.ts';
import { checkDeviceSelectors } from './device-selectors.ts';
import { checkSliceSpec, checkTaintRuleSpec } from './device-slices.ts';
import { checkTemplateMeta } from './persistent-volumes.ts';
import { isExtended } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkStatusConditions } from './status-conditions.ts';

const configsMax = 32;
const taintRuleConditionsMax = 8;

/** resource.k8s.io (source: Kubernetes' pkg/apis/resource/validation). */
export const deviceRules: { readonly [groupResource: string]: Rule } = {
  // Claims never change: what an older release allowed is not looked at again.
  'resourceclaims.resource.k8s.io': rule({
    always: (errors, claim, old) => {
      if (old === undefined) checkDeviceClaimSpec(errors, 'spec', specOf(claim));
    },
    change: (errors, claim, old) => checkImmutable(errors, 'spec', claim['spec'], old['spec']),
    status: checkDeviceClaimStatus,
  }),
  'resourceclaimtemplates.resource.k8s.io': rule({
    always: (errors, template, old) => {
      if (old !== undefined) return;
      checkTemplateMeta(errors, 'spec.metadata', objectAt(template, 'spec', 'metadata'));
      checkDeviceClaimSpec(errors, 'spec.spec', objectAt(template, 'spec', 'spec'));
    },
    change: (errors, template, old) => checkImmutable(errors, 'spec', template['spec'], old['spec']),
  }),
  'deviceclasses.resource.k8s.io': rule({
    always: (errors, deviceClass, old) => {
      const spec = specOf(deviceClass);
      checkDeviceSelectors(errors, 'spec', spec);
      const isStored = isUnchanged(spec, old && specOf(old), 'config');
      checkConfigs(errors, 'spec.config', objectsAt(spec, 'config'), configsMax, undefined, isStored);
      const name = valueAt(spec, 'extendedResourceName');
      if (typeof name === 'string' && !isExtended(name)) {
        errors.push(invalid('spec.extendedResourceName', name, 'must be a valid extended resource name'));
      }
    },
  }),
  'resourceslices.resource.k8s.io': rule({
    always: (errors, slice, old) => checkSliceSpec(errors, specOf(slice), old && specOf(old)),
  }),
  'devicetaintrules.resource.k8s.io': rule({
    always: (errors, taintRule, old) => checkTaintRuleSpec(errors, specOf(taintRule), old && specOf(old)),
    status: (errors, taintRule) => {
      const conditions = objectsAt(taintRule, 'status', 'conditions');
      checkStatusConditions(errors, 'status.conditions', conditions, taintRuleConditionsMax);
    },
  }),
  'resourcepoolstatusrequests.resource.k8s.io': rule({
    status: (errors, request, old) => {
      // A request is answered once.
      if (old['status'] !== undefined) checkImmutable(errors, 'status', request['status'], old['status']);
      else {
        const conditions = objectsAt(request, 'status', 'conditions');
        checkStatusConditions(errors, 'status.conditions', conditions, Number.POSITIVE_INFINITY);
      }
    },
  }),
};

/** Whether a field is the same as before: then it counts as stored. */
function isUnchanged(now: JsonObject, old: JsonObject | undefined, field: string): boolean {
  return old !== undefined && equalJson(now[field], old[field]);
}
