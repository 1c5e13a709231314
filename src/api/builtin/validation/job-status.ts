import { duplicate, invalid, required } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkNonNegatives, type Errors } from './common.ts';
import { countIndexes, firstCommonIndex } from './job-indexes.ts';

/**
 * What a Job's status may say and become (source: validateJobStatus, ValidateJobStatusUpdate and
 * getStatusValidationOptions in Kubernetes' pkg/apis/batch and pkg/registry/batch/job). A rule is applied when what it is
 * about has changed, so that a status that was wrong before may still be written elsewhere.
 */
export function checkJobStatus(errors: Errors, job: KubeObject, old: KubeObject): void {
  const now = new State(job);
  const before = new State(old);
  const { status } = now;
  checkNonNegatives(errors, 'status', status, ['active', 'succeeded', 'failed', 'ready', 'terminating']);
  checkUncounted(errors, objectAt(status, 'uncountedTerminatedPods'));
  checkConditions(errors, now, before);
  // What several cells' Jobs add up to need not be what one Job could be, nor go one way only.
  if (!isGathered(job)) {
    checkFinished(errors, now, before);
    checkIndexes(errors, now, before);
    checkProgress(errors, now, before);
    checkSuccess(errors, now, before);
  }
  checkEndConditions(errors, now, before);
}

/** A Job's status with what rules ask of it. */
class State {
  readonly job: KubeObject;
  readonly status: JsonObject;
  readonly isComplete: boolean;
  readonly isFailed: boolean;
  readonly isFinished: boolean;
  readonly hasFailureTarget: boolean;
  readonly meetsSuccess: boolean;

  constructor(job: KubeObject) {
    this.job = job;
    this.status = objectAt(job, 'status') ?? {};
    this.isComplete = this.has('Complete');
    this.isFailed = this.has('Failed');
    this.isFinished = this.isComplete || this.isFailed;
    this.hasFailureTarget = this.has('FailureTarget');
    this.meetsSuccess = this.has('SuccessCriteriaMet');
  }

  has(type: string, value = 'True'): boolean {
    return objectsAt(this.status, 'conditions').some(
      (one) => one['type'] === type && one['status'] === value,
    );
  }

  count(field: string): number {
    return numberAt(this.status, field) ?? 0;
  }

  /** Whether one of these fields differs from the other state's. */
  differs(other: State, ...fields: readonly string[]): boolean {
    return fields.some((field) => !equalJson(this.status[field] ?? null, other.status[field] ?? null));
  }
}

/** Whether the scheduler gathered this status from cells (docs/federation-contract.md). */
function isGathered({ metadata }: KubeObject): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager, operation, subresource }) =>
      manager === 'cellplane' && operation === 'Apply' && subresource === 'status',
  );
}

function checkUncounted(errors: Errors, uncounted: JsonObject | undefined): void {
  if (uncounted === undefined) return;
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed']) {
    textsAt(uncounted, list).forEach((uid, i) => {
      const at = `status.uncountedTerminatedPods.${list}[${i}]`;
      if (uid === '') errors.push(invalid(at, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(at, uid));
      else seen.add(uid);
    });
  }
}

/** Conditions that exclude one another, and what completion goes with. */
function checkConditions(errors: Errors, now: State, before: State): void {
  const { status, isComplete, isFailed, hasFailureTarget } = now;
  const completes = isComplete !== before.isComplete;
  if ((completes || isFailed !== before.isFailed) && isComplete && isFailed)
    refuse(errors, 'conditions', 'cannot set Complete=True and Failed=true conditions');
  if ((completes || hasFailureTarget !== before.hasFailureTarget) && isComplete && hasFailureTarget)
    refuse(errors, 'conditions', 'cannot set Complete=True and FailureTarget=true conditions');
  const completion = textAt(status, 'completionTime');
  if (completes || now.differs(before, 'completionTime')) {
    if (completion !== '' && !isComplete) {
      const why = 'cannot set completionTime when there is no Complete=True condition';
      errors.push(invalid('status.completionTime', completion, why));
    }
    if (completion === '' && isComplete)
      errors.push(required('status.completionTime', 'completionTime is required for Complete jobs'));
  }
}

/** What a Job that has ended no longer has. */
function checkFinished(errors: Errors, now: State, before: State): void {
  const { job, status, isComplete, isFailed, isFinished } = now;
  const start = textAt(status, 'startTime');
  const completion = textAt(status, 'completionTime');
  if (now.differs(before, 'startTime', 'completionTime') && start !== '' && completion !== '') {
    if (Date.parse(completion) < Date.parse(start))
      errors.push(invalid('status.completionTime', completion, 'must be equal to or after `startTime`'));
  }
  if ((isFailed !== before.isFailed || now.differs(before, 'failedIndexes')) && isFailed)
    if (!now.hasFailureTarget)
      refuse(
        errors,
        'conditions',
        'cannot set Failed=True condition without the FailureTarget=true condition',
      );
  if (isComplete !== before.isComplete || now.meetsSuccess !== before.meetsSuccess)
    if (isComplete && !now.meetsSuccess)
      refuse(
        errors,
        'conditions',
        'cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
      );
  if (!isFinished) return;
  const finishes = !before.isFinished;
  const touched = (...fields: readonly string[]) => finishes || now.differs(before, ...fields);
  const active = now.count('active');
  if (touched('active') && active > 0)
    errors.push(invalid('status.active', active, 'active>0 is invalid for finished job'));
  const isIdle = booleanAt(job, 'spec', 'suspend') === true && numberAt(job, 'spec', 'completions') === 0;
  if (touched('startTime') && start === '' && !isIdle)
    errors.push(required('status.startTime', 'startTime is required for finished job'));
  const uncounted = objectAt(status, 'uncountedTerminatedPods');
  const waiting = textsAt(uncounted, 'failed').length + textsAt(uncounted, 'succeeded').length;
  if (touched('uncountedTerminatedPods') && waiting > 0)
    errors.push(invalid('status.uncountedTerminatedPods', uncounted!, 'must be empty for finished job'));
  const terminating = now.count('terminating');
  if (touched('terminating') && terminating > 0)
    errors.push(invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job'));
}

/** Indexes that completed and failed, of the Job's completions. */
function checkIndexes(errors: Errors, now: State, before: State): void {
  const { job, status } = now;
  const completions = numberAt(job, 'spec', 'completions');
  const completed = textAt(status, 'completedIndexes');
  const failed = valueAt(status, 'failedIndexes');
  const completedChanged = now.differs(before, 'completedIndexes');
  const failedChanged = now.differs(before, 'failedIndexes');
  const perIndex = numberAt(job, 'spec', 'backoffLimitPerIndex');
  const checkFormat = (field: string, text: string) => {
    const parsed = completions === undefined ? 0 : countIndexes(text, completions);
    if (typeof parsed === 'string')
      errors.push(invalid(`status.${field}`, text, `error parsing ${field}: ${parsed}`));
  };
  if (completedChanged) checkFormat('completedIndexes', completed);
  if (failedChanged && perIndex !== undefined && typeof failed === 'string')
    checkFormat('failedIndexes', failed);
  if (completedChanged && completed !== '' && textAt(job, 'spec', 'completionMode') !== 'Indexed') {
    const why = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalid('status.completedIndexes', completed, why));
  }
  if (typeof failed !== 'string') return;
  if (failedChanged && perIndex === undefined) {
    const why = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalid('status.failedIndexes', failed, why));
  }
  if ((failedChanged || completedChanged) && completions !== undefined) {
    const common = firstCommonIndex(completed, failed, completions);
    if (common === undefined) return;
    const why = `failedIndexes and completedIndexes overlap at index: ${common}`;
    errors.push(invalid('status.failedIndexes', failed, why));
  }
}

/** What goes one way only. */
function checkProgress(errors: Errors, now: State, before: State): void {
  const { job, status } = now;
  const ready = numberAt(status, 'ready');
  if (now.differs(before, 'ready', 'active') && ready !== undefined && ready > now.count('active'))
    errors.push(invalid('status.ready', ready, 'cannot set more ready pods than active'));
  if (now.count('failed') < before.count('failed'))
    errors.push(invalid('status.failed', now.count('failed'), 'cannot decrease the failed counter'));
  // A Job of as many completions as it runs at once may be scaled down.
  const isElastic =
    textAt(job, 'spec', 'completionMode') === 'Indexed' &&
    numberAt(job, 'spec', 'completions') === numberAt(job, 'spec', 'parallelism');
  if (!isElastic && now.count('succeeded') < before.count('succeeded'))
    errors.push(invalid('status.succeeded', now.count('succeeded'), 'cannot decrease the succeeded counter'));
  const completion = textAt(status, 'completionTime');
  const completed = textAt(before.status, 'completionTime');
  if (completion !== '' && completed !== '' && completion !== completed)
    errors.push(invalid('status.completionTime', completion, 'field is immutable'));
  const resumes = before.has('Suspended') && now.has('Suspended', 'False');
  const started = textAt(before.status, 'startTime');
  const isSuspended = booleanAt(job, 'spec', 'suspend') === true;
  if (started !== '' && now.differs(before, 'startTime') && !isSuspended && !resumes) {
    const why = 'field is immutable for unsuspended job once set';
    errors.push(invalid('status.startTime', valueAt(status, 'startTime') ?? null, why));
  }
}

/** Conditions that do not go away again, and those that exclude one another at all times. */
function checkEndConditions(errors: Errors, now: State, before: State): void {
  if (now.meetsSuccess) {
    if (now.isFailed)
      refuse(errors, 'conditions', 'cannot set SuccessCriteriaMet=True and Failed=true conditions');
    if (now.hasFailureTarget)
      refuse(errors, 'conditions', 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  }
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (before.has(type) && !now.has(type))
      refuse(errors, 'conditions', `cannot disable the terminal ${type}=True condition`);
}

/** A success that was told stands, and comes before completion. */
function checkSuccess(errors: Errors, now: State, before: State): void {
  const hasPolicy = objectAt(now.job, 'spec', 'successPolicy') !== undefined;
  if (hasPolicy && now.isComplete && !now.meetsSuccess)
    refuse(
      errors,
      'conditions',
      'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True',
    );
  if (before.meetsSuccess && !now.meetsSuccess)
    refuse(errors, 'conditions', 'cannot disable the SuccessCriteriaMet=True condition');
  if (before.isComplete && !before.meetsSuccess && now.meetsSuccess)
    refuse(
      errors,
      'conditions',
      'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions',
    );
}

function refuse(errors: Errors, field: string, why: string): void {
  errors.push({ type: 'FieldValueInvalid', field: `status.${field}`, message: `Invalid value: ${why}` });
}
