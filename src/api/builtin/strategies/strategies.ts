import { customResourceDefinitionStrategy } from '#api/apiextensions/strategy.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { coreDefaults } from '../defaults/core-defaults.ts';
import { otherDefaults } from '../defaults/other-defaults.ts';
import { workloadDefaults } from '../defaults/workload-defaults.ts';
import { booleanAt, numberAt, textAt } from '../read.ts';
import { completeTypedForm } from '../typed-form.ts';
import { admissionRules } from '../validation/admission-rules.ts';
import { appsRules } from '../validation/apps.ts';
import { authorityRules } from '../validation/authority.ts';
import { batchRules } from '../validation/batch.ts';
import { coreRules } from '../validation/core.ts';
import { deviceRules } from '../validation/devices.ts';
import { flowControlRules } from '../validation/flow-control.ts';
import { networkingRules } from '../validation/networking.ts';
import { otherRules } from '../validation/others.ts';
import type { Rule } from '../validation/rule.ts';
import { storageRules } from '../validation/storage.ts';
import { kindWarnings } from '../warnings/warnings.ts';
import { podGatesOf } from './pod-gates.ts';
import { prepares } from './prepare.ts';
import { traitsOf } from './traits.ts';
import { completeStatus } from './zero-status.ts';

const crds = 'customresourcedefinitions.apiextensions.k8s.io';

const sourceOf = (event: KubeObject): JsonObject => ({
  source: textAt(event, 'source', 'component') || textAt(event, 'reportingComponent'),
});

/** Selectable values that are no plain path: what is absent reads as its zero (ToSelectableFields of each kind). */
const fields: { readonly [groupResource: string]: (object: KubeObject) => JsonObject } = {
  pods: (pod) => ({ 'spec.hostNetwork': String(booleanAt(pod, 'spec', 'hostNetwork') ?? false) }),
  nodes: (node) => ({ 'spec.unschedulable': String(booleanAt(node, 'spec', 'unschedulable') ?? false) }),
  replicationcontrollers: (controller) => ({
    'status.replicas': String(numberAt(controller, 'status', 'replicas') ?? 0),
  }),
  'replicasets.apps': (set) => ({ 'status.replicas': String(numberAt(set, 'status', 'replicas') ?? 0) }),
  'jobs.batch': (job) => ({ 'status.successful': String(numberAt(job, 'status', 'succeeded') ?? 0) }),
  events: sourceOf,
  'events.events.k8s.io': sourceOf,
};

const rules: { readonly [groupResource: string]: Rule } = {
  ...coreRules,
  ...appsRules,
  ...batchRules,
  ...networkingRules,
  ...authorityRules,
  ...admissionRules,
  ...storageRules,
  ...flowControlRules,
  ...otherRules,
  ...deviceRules,
};

/**
 * What a built-in kind does differently from all others. `definitions` names its type by version: its typed form is
 * completed before its defaults, as a Kubernetes server's decoding does (KUBERNETES.md C11).
 */
export function strategyOf(
  group: string,
  resource: string,
  definitions: ReadonlyMap<string, string>,
): Strategy {
  const key = group === '' ? resource : `${resource}.${group}`;
  const own = key === crds ? customResourceDefinitionStrategy : undefined;
  const dropGated = podGatesOf(key);
  const setDefaults = own?.defaults ?? coreDefaults[key] ?? workloadDefaults[key] ?? otherDefaults[key];
  return {
    ...traitsOf(key),
    ...own,
    defaults: (object, version) => {
      const definition = definitions.get(version);
      if (definition !== undefined) completeTypedForm(definition, object);
      setDefaults?.(object, version);
    },
    ...prepares[key],
    prepareForUpdate: (object, old, subresource) => {
      (prepares[key]?.prepareForUpdate ?? own?.prepareForUpdate)?.(object, old, subresource);
      if (subresource !== 'status') dropGated?.(object, old);
      else if (object['status'] === undefined) {
        const definition = definitions.get(object.apiVersion.slice(object.apiVersion.indexOf('/') + 1));
        if (definition !== undefined) completeStatus(definition, object);
      }
    },
    prepareForCreate: (object) => {
      dropGated?.(object, undefined);
      (prepares[key]?.prepareForCreate ?? own?.prepareForCreate)?.(object);
      const definition = definitions.get(object.apiVersion.slice(object.apiVersion.indexOf('/') + 1));
      if (definition !== undefined) completeStatus(definition, object);
    },
    ...rules[key],
    ...(kindWarnings[key] === undefined ? {} : { warnings: kindWarnings[key] }),
    ...(fields[key] === undefined ? {} : { fields: fields[key] }),
  };
}
