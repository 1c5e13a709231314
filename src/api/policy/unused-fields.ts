import type { KubeObject } from '#apimachinery/object.ts';
import type {
  Overriders,
  OverrideSpec,
  Placement,
  PropagationSpec,
  ReplicaScheduling,
  ResourceSelector,
} from './placement.ts';
import { purgeModeNamed } from './purge-mode.ts';
import { selectedKind } from './selected-kinds.ts';
import { isSet } from './validate-placement.ts';

/** Tells of a field that is accepted, as Karmada does, although another one keeps it from having any effect. */
type Tell = (path: string, why: string) => void;

/**
 * Fields of a policy that others beside them keep from having any effect. Karmada accepts these, so its manifests apply; whoever
 * writes one is told. Our own fields that would do nothing are refused (`validatePlacement`).
 */
export function unusedPropagationFields(object: KubeObject): string[] {
  return told((tell) => {
    const { resourceSelectors, placement, failover, schedulePriority, rollout } = (object['spec'] ??
      {}) as PropagationSpec;
    tellOfSelectors(resourceSelectors, object.metadata.namespace !== undefined, tell);
    tellOfReplicaScheduling(placement?.replicaScheduling, tell);
    tellOfScores(placement, tell);
    tellOfAffinity(placement, tell);
    const { purgeMode, gracePeriodSeconds, statePreservation } = failover?.application ?? {};
    const mode = purgeModeNamed(purgeMode);
    const waitsForNothing =
      mode === 'Never' || (mode === 'Directly' && (statePreservation?.rules ?? []).length === 0);
    if (gracePeriodSeconds !== undefined && waitsForNothing) {
      const why = `nothing is waited for where purgeMode is ${purgeMode}`;
      tell('spec.failover.application.gracePeriodSeconds', why);
    }
    if (
      schedulePriority?.priorityClassSource === 'PodPriorityClass' &&
      isSet(schedulePriority.priorityClassName)
    )
      tell('spec.schedulePriority.priorityClassName', 'PodPriorityClass takes the class that the pods name');
    const last = rollout?.waves?.at(-1);
    if (last !== undefined && last.clusterAffinity === undefined && (last.pauseSeconds ?? 0) > 0) {
      const at = `spec.rollout.waves[${(rollout?.waves.length ?? 1) - 1}].pauseSeconds`;
      tell(at, 'no wave comes after this one');
    }
  });
}

function tellOfAffinity(placement: Placement | undefined, tell: Tell): void {
  const { clusterAffinity, clusterAffinities = [], workloadAffinity } = placement ?? {};
  const affinities = [
    ['spec.placement.clusterAffinity', clusterAffinity] as const,
    ...clusterAffinities.map((one, i) => [`spec.placement.clusterAffinities[${i}]`, one] as const),
  ];
  for (const [at, { clusterNames = [], exclude = [] } = {}] of affinities) {
    if (clusterNames.length > 0 && clusterNames.every((name) => exclude.includes(name)))
      tell(`${at}.clusterNames`, 'exclude has all of them, so that no cell is named');
  }
  const { affinity, antiAffinity } = workloadAffinity ?? {};
  if (affinity !== undefined && affinity.groupByLabelKey === antiAffinity?.groupByLabelKey)
    tell('spec.placement.workloadAffinity.affinity', 'antiAffinity keeps apart what it would bring together');
}

/** The same of an override policy. */
export function unusedOverrideFields(object: KubeObject): string[] {
  return told((tell) => {
    const { resourceSelectors, overrideRules, overriders } = (object['spec'] ?? {}) as OverrideSpec;
    tellOfSelectors(resourceSelectors, object.metadata.namespace !== undefined, tell);
    tellOfOverriders(overriders, 'spec.overriders', tell);
    overrideRules?.forEach((rule, i) => {
      tellOfOverriders(rule.overriders, `spec.overrideRules[${i}].overriders`, tell);
    });
  });
}

/** One warning for each field that `look` tells of. */
export function told(look: (tell: Tell) => void): string[] {
  const warnings: string[] = [];
  look((path, why) => warnings.push(`${path}: has no effect: ${why}`));
  return warnings;
}

/**
 * karmada pkg/apis/policy/v1alpha1: a name makes the label selector be ignored. A kind of which nothing can go anywhere by the
 * policy is accepted beside others, as Karmada does. `isNamespaced`: of the policy.
 */
function tellOfSelectors(
  selectors: readonly ResourceSelector[] | undefined,
  isNamespaced: boolean,
  tell: Tell,
): void {
  selectors?.forEach(({ apiVersion, kind, name = '', namespace = '', labelSelector }, i) => {
    const at = `spec.resourceSelectors[${i}]`;
    if (name !== '' && isSet(labelSelector)) tell(`${at}.labelSelector`, 'the name alone selects');
    const selected = selectedKind(apiVersion, kind);
    if (selected === undefined) return;
    if (selected === 'unserved') tell(`${at}.kind`, `there is no ${kind} in ${apiVersion}`);
    else if (!selected.propagated) tell(`${at}.kind`, `a ${kind} is never taken to cells`);
    else if (isNamespaced && !selected.namespaced)
      tell(`${at}.kind`, `a ${kind} has no namespace: only cluster-wide policies select it`);
    else if (!selected.namespaced && namespace !== '') tell(`${at}.namespace`, `a ${kind} has none`);
  });
}

/** karmada pkg/apis/policy/v1alpha1: a preference is for Divided, weights are for Weighted, and dynamic ones come first. */
function tellOfReplicaScheduling(scheduling: ReplicaScheduling | undefined, tell: Tell): void {
  const at = 'spec.placement.replicaScheduling';
  const { replicaSchedulingType, replicaDivisionPreference, weightPreference } = scheduling ?? {};
  if (replicaSchedulingType === 'Duplicated') {
    const why = 'every cell gets all replicas where replicaSchedulingType is Duplicated';
    if (isSet(replicaDivisionPreference)) tell(`${at}.replicaDivisionPreference`, why);
    if (isSet(weightPreference)) tell(`${at}.weightPreference`, why);
  } else if (replicaDivisionPreference === 'Aggregated') {
    if (isSet(weightPreference))
      tell(`${at}.weightPreference`, 'room alone counts where replicaDivisionPreference is Aggregated');
  } else if (isSet(weightPreference?.dynamicWeight) && isSet(weightPreference?.staticWeightList)) {
    tell(`${at}.weightPreference.staticWeightList`, 'dynamicWeight stands beside it');
  }
}

/** An inherited policy may bring the constraint that is missing, so that these are not refused though they are ours. */
function tellOfScores(placement: Placement | undefined, tell: Tell): void {
  if ((placement?.spreadConstraints?.length ?? 0) > 0) return;
  const why = 'without a spread constraint all cells that may be used are, whatever their scores';
  for (const field of ['near', 'data'] as const)
    if (isSet(placement?.[field])) tell(`spec.placement.${field}`, why);
  placement?.clusterTolerations?.forEach(({ effect }, i) => {
    if (effect === 'PreferNoSchedule') tell(`spec.placement.clusterTolerations[${i}]`, why);
  });
}

function tellOfOverriders(overriders: Overriders | undefined, path: string, tell: Tell): void {
  const why = 'what is removed needs no value';
  for (const field of ['imageOverrider', 'plaintext'] as const) {
    overriders?.[field]?.forEach(({ operator, value }, i) => {
      if (operator === 'remove' && isSet(value)) tell(`${path}.${field}[${i}].value`, why);
    });
  }
  overriders?.fieldOverrider?.forEach((overrider, i) => {
    for (const form of ['json', 'yaml'] as const) {
      overrider[form]?.forEach(({ operator, value }, p) => {
        if (operator === 'remove' && isSet(value))
          tell(`${path}.fieldOverrider[${i}].${form}[${p}].value`, why);
      });
    }
  });
}
