import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { compileJsonPath } from '#apimachinery/jsonpath.ts';
import { dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, Strategy } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema } from '../fragments.ts';
import { policyGroup, policyVersion } from './group.ts';
import type { PropagationSpec, SchedulePriority, StatePreservation } from './placement.ts';
import { propagationSpecSchema } from './propagation-schema.ts';
import { progressText, type RolloutProgress, rolloutProgressSchema } from './rollout-progress.ts';
import { selectedKind } from './selected-kinds.ts';
import { unusedPropagationFields } from './unused-fields.ts';
import {
  isDividedByRoom,
  isPlanned,
  isSet,
  refuseUnhonoured,
  validateAffinity,
  validatePlacement,
  validateResourceSelectors,
} from './validate-placement.ts';

/** policy.karmada.io/v1alpha1 PropagationPolicy; ClusterPropagationPolicy where it has no namespace. */
export interface PropagationPolicy extends KubeObject {
  spec: PropagationSpec;
  /** Ours: absent unless the policy has a `rollout`. */
  status?: { rollout?: RolloutProgress } & JsonObject;
}

const rolloutColumn = {
  name: 'Rollout',
  type: 'string',
  description: 'what most needs somebody, and how many objects have it in all their cells',
  value: (object: KubeObject) => progressText((object as PropagationPolicy).status?.rollout),
} as const;

const columns = [
  { name: 'Conflict-Resolution', type: 'string', jsonPath: '.spec.conflictResolution' },
  { name: 'Priority', type: 'string', jsonPath: '.spec.priority' },
  rolloutColumn,
  ageColumn,
] as const;

const status: JsonObject = {
  type: 'object',
  description: 'What came of the policy; written by the scheduler.',
  properties: { rollout: rolloutProgressSchema },
};

const strategy: Strategy = {
  defaults: setDefaults,
  validate: (object) => validatePropagationPolicy(object as PropagationPolicy),
  validateUpdate: (object) => validatePropagationPolicy(object as PropagationPolicy),
  warnings: unusedPropagationFields,
};

export const propagationPolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'PropagationPolicy',
  plural: 'propagationpolicies',
  shortNames: ['pp'],
  categories: ['karmada-io'],
  namespaced: true,
  versions: [
    {
      name: policyVersion,
      columns,
      subresources: { status: true },
      schema: kindSchema(
        'Which objects of its namespace go to which cells.',
        { spec: propagationSpecSchema, status },
        ['spec'],
      ),
    },
  ],
  strategy,
});

export const clusterPropagationPolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'ClusterPropagationPolicy',
  plural: 'clusterpropagationpolicies',
  shortNames: ['cpp'],
  categories: ['karmada-io'],
  namespaced: false,
  versions: [
    {
      name: policyVersion,
      columns,
      subresources: { status: true },
      schema: kindSchema(
        'Which objects of the project, of any namespace or none, go to which cells.',
        { spec: propagationSpecSchema, status },
        ['spec'],
      ),
    },
  ],
  strategy,
});

/**
 * ClusterPropagationPolicy as organizations and root serve it: inherited by all projects below. There it may select every
 * kind (`apiVersion: '*', kind: '*'`), which bounds and does not place.
 */
export const inheritedPropagationPolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'ClusterPropagationPolicy',
  plural: 'clusterpropagationpolicies',
  shortNames: ['cpp'],
  categories: ['karmada-io'],
  namespaced: false,
  versions: [
    {
      name: policyVersion,
      columns: [
        { name: 'Enforcement', type: 'string', jsonPath: '.spec.enforcement' },
        { name: 'Priority', type: 'string', jsonPath: '.spec.priority' },
        rolloutColumn,
        ageColumn,
      ],
      subresources: { status: true },
      schema: kindSchema(
        'Where the objects of all projects below may go, and where those go that no policy of their project selects.',
        { spec: propagationSpecSchema, status },
        ['spec'],
      ),
    },
  ],
  strategy: {
    defaults: (object) => {
      setDefaults(object);
      const { spec } = object as PropagationPolicy;
      if (typeof spec === 'object' && spec !== null) spec.enforcement ??= 'Required';
    },
    validate: (object) => validateInheritedPolicy(object as PropagationPolicy),
    validateUpdate: (object) => validateInheritedPolicy(object as PropagationPolicy),
    warnings: unusedPropagationFields,
  },
});

/** Stands for every API version, and for every kind, in the selectors of inherited policies. */
export const everyKind = '*';

/** What says how objects are placed, and so nothing in a policy that places none. */
const placingFields = [
  'priority',
  'propagateDeps',
  'dependentOverrides',
  'failover',
  'preserveResourcesOnDeletion',
  'schedulePriority',
  'rollout',
  'reschedule',
] as const;

/** The same, with what a client that means nothing by it writes. */
const placingDefaults = {
  preemption: 'Never',
  conflictResolution: 'Abort',
  schedulerName: 'default-scheduler',
} as const;

const placingPlacement = [
  'clusterTolerations',
  'replicaScheduling',
  'workloadAffinity',
  'near',
  'data',
  'activeHours',
] as const;

/** A policy whose every selector is for every kind bounds and does not place: what is about placing would do nothing. */
function refusePlacingFields(spec: PropagationSpec, errors: FieldError[]): void {
  if (!(spec.resourceSelectors ?? []).every(({ kind }) => kind === everyKind)) return;
  const why = 'a policy that selects every kind bounds where objects are, and places none';
  const refuse = (object: JsonObject | undefined, path: string, fields: readonly string[]): void => {
    for (const field of fields) {
      const value = object?.[field];
      if (isSet(value) && value !== 0) errors.push(forbiddenField(`${path}.${field}`, why));
    }
  };
  refuse(spec, 'spec', placingFields);
  for (const field of ['preemption', 'conflictResolution', 'schedulerName'] as const)
    if ((spec[field] ?? '') !== placingDefaults[field]) refuse(spec, 'spec', [field]);
  refuse(spec.placement, 'spec.placement', placingPlacement);
}

function validateInheritedPolicy(policy: PropagationPolicy): FieldError[] {
  const errors = validateSpec(policy);
  if (policy.spec !== undefined) refusePlacingFields(policy.spec, errors);
  const { resourceSelectors, enforcement, activationPreference } = policy.spec ?? {};
  if (activationPreference !== undefined && enforcement !== 'Default') {
    const why = 'an inherited policy that is Required acts at once; with enforcement Default it may be lazy';
    errors.push(forbiddenField('spec.activationPreference', why));
  }
  resourceSelectors?.forEach(({ apiVersion, kind }, i) => {
    const at = `spec.resourceSelectors[${i}]`;
    if ((apiVersion === everyKind) !== (kind === everyKind)) {
      errors.push(invalid(`${at}.kind`, kind, 'apiVersion and kind are both `*`, or neither is'));
    } else if (kind === everyKind && enforcement === 'Default') {
      errors.push(
        invalid(`${at}.kind`, kind, 'a policy with enforcement Default must name the kinds it places'),
      );
    }
  });
  return errors;
}

function validateStatePreservation(
  preservation: StatePreservation | undefined,
  path: string,
  errors: FieldError[],
): void {
  preservation?.rules?.forEach(({ aliasLabelName, jsonPath }, i) => {
    const at = `${path}.statePreservation.rules[${i}]`;
    for (const why of labelKey(aliasLabelName))
      errors.push(invalid(`${at}.aliasLabelName`, aliasLabelName, why));
    try {
      compileJsonPath(jsonPath);
    } catch (error) {
      errors.push(
        invalid(`${at}.jsonPath`, jsonPath, error instanceof Error ? error.message : String(error)),
      );
    }
  });
}

function validateRollout({ rollout, resourceSelectors }: PropagationSpec, errors: FieldError[]): void {
  if (rollout === undefined) return;
  const names = new Set<string>();
  rollout.waves?.forEach(({ name, clusterAffinity }, i) => {
    const at = `spec.rollout.waves[${i}]`;
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    if (name === lastWave && clusterAffinity !== undefined)
      errors.push(invalid(`${at}.name`, name, 'is the name of the wave of cells that no other names'));
    validateAffinity(clusterAffinity, `${at}.clusterAffinity`, errors);
  });
  const takesAll = rollout.waves?.findIndex(({ clusterAffinity }) => clusterAffinity === undefined) ?? -1;
  if (takesAll >= 0 && takesAll < rollout.waves.length - 1) {
    const why = `no cell is left for it: wave ${rollout.waves[takesAll]?.name} has all that none before names`;
    errors.push(forbiddenField(`spec.rollout.waves[${takesAll + 1}]`, why));
  }
  resourceSelectors?.forEach(({ apiVersion, kind }, i) => {
    const at = `spec.resourceSelectors[${i}].kind`;
    const selected = selectedKind(apiVersion, kind);
    // What it was before would have to be kept where others may read it.
    if (apiVersion === 'v1' && kind === 'Secret')
      errors.push(forbiddenField(at, 'a Secret cannot be rolled out in waves'));
    // What it was before is kept in a namespace.
    else if (typeof selected === 'object' && selected.propagated && !selected.namespaced)
      errors.push(forbiddenField(at, `a ${kind} has no namespace, and cannot be rolled out in waves`));
  });
}

/** Of the cells that no wave of a rollout names. */
export const lastWave = 'rest';

const prioritySources = ['KubePriorityClass', 'PodPriorityClass'];

function validateSchedulePriority(priority: SchedulePriority | undefined, errors: FieldError[]): void {
  if (priority === undefined) return;
  const { priorityClassSource: source, priorityClassName = '' } = priority;
  if (!prioritySources.includes(source))
    errors.push(notSupported('spec.schedulePriority.priorityClassSource', source, prioritySources));
  else if (source === 'KubePriorityClass' && priorityClassName === '')
    errors.push(required('spec.schedulePriority.priorityClassName'));
}

/** As Karmada's webhook: a namespaced policy selects in its own namespace, a bare spread constraint is over cells. */
function setDefaults(object: KubeObject): void {
  const { spec, metadata } = object as PropagationPolicy;
  if (typeof spec !== 'object' || spec === null) return;
  if (metadata.namespace !== undefined && Array.isArray(spec.resourceSelectors)) {
    for (const selector of spec.resourceSelectors) {
      if (typeof selector === 'object' && selector !== null && (selector.namespace ?? '') === '') {
        selector.namespace = metadata.namespace;
      }
    }
  }
  const constraints = spec.placement?.spreadConstraints;
  if (!Array.isArray(constraints)) return;
  for (const constraint of constraints) {
    if ((constraint.spreadByField ?? '') === '' && (constraint.spreadByLabel ?? '') === '') {
      constraint.spreadByField = 'cluster';
    }
    if (constraint.minGroups === undefined) constraint.minGroups = 1;
  }
}

export function validatePropagationPolicy(policy: PropagationPolicy): FieldError[] {
  const errors = validateSpec(policy);
  const { spec } = policy;
  if (spec?.enforcement !== undefined) {
    errors.push(forbiddenField('spec.enforcement', 'may only be set in an organization or in root'));
  }
  spec?.resourceSelectors?.forEach(({ kind }, i) => {
    if (kind !== everyKind) return;
    const why = 'every kind at once may only be selected in an organization or in root';
    errors.push(invalid(`spec.resourceSelectors[${i}].kind`, kind, why));
  });
  return errors;
}

function validateSpec(policy: PropagationPolicy): FieldError[] {
  const { spec, metadata } = policy;
  const errors: FieldError[] = [];
  if (spec === undefined) return [required('spec')];
  if ((spec.resourceSelectors?.length ?? 0) === 0) errors.push(required('spec.resourceSelectors'));
  validateResourceSelectors(spec.resourceSelectors, 'spec.resourceSelectors', metadata.namespace, errors);
  validatePlacement(spec.placement, 'spec.placement', errors);
  refuseUnhonoured(spec, 'spec', ['association'], errors);
  const scheduler = spec.schedulerName ?? '';
  for (const why of scheduler === '' ? [] : dns1123Subdomain(scheduler))
    errors.push(invalid('spec.schedulerName', scheduler, why));
  const { suspension, failover } = spec;
  for (const cause of ['application', 'cluster'] as const)
    validateStatePreservation(failover?.[cause]?.statePreservation, `spec.failover.${cause}`, errors);
  validateSchedulePriority(spec.schedulePriority, errors);
  validateRollout(spec, errors);
  const scheduling = spec.placement?.replicaScheduling;
  if (
    spec.reschedule?.unschedulable !== undefined &&
    !isDividedByRoom(scheduling) &&
    !isPlanned(scheduling)
  ) {
    const why = 'only replicas that are divided by the room of cells can be moved to where they run';
    errors.push(forbiddenField('spec.reschedule.unschedulable', why));
  }
  if (failover?.cluster?.failback !== undefined && (spec.placement?.clusterAffinities?.length ?? 0) < 2) {
    const why = 'there is no affinity group to go back to: clusterAffinities has less than two';
    errors.push(forbiddenField('spec.failover.cluster.failback', why));
  }
  if (suspension?.dispatching === true && suspension.dispatchingOnClusters !== undefined) {
    const why = 'must not be set when dispatching is suspended everywhere';
    errors.push(invalid('spec.suspension.dispatchingOnClusters', suspension.dispatchingOnClusters, why));
  }
  suspension?.dispatchingOnClusters?.clusterNames?.forEach((name, i) => {
    if (!name.includes('*')) return;
    const at = `spec.suspension.dispatchingOnClusters.clusterNames[${i}]`;
    errors.push(invalid(at, name, 'must be the name of a cell: patterns are for affinities'));
  });
  return errors;
}
