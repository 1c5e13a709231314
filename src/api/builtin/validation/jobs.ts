import { duplicate, invalid, notSupported, required, tooLong, tooMany } from '#apimachinery/field-error.ts';
import { cloneJson, equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  byKey,
  checkImmutable,
  checkName,
  checkNonNegative,
  checkNonNegatives,
  checkSelector,
  type Errors,
  selectorMatches,
} from './common.ts';
import { countIndexes } from './job-indexes.ts';
import { checkJobStatus } from './job-status.ts';
import { checkPodTemplate } from './pod-template.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** Jobs: their spec, also inside CronJobs, and what of them may change (source: Kubernetes' pkg/apis/batch/validation). */
export const jobRule: Rule = rule({
  always: (errors, job, old) => {
    checkGeneratedSelector(errors, job);
    checkJobSpec(errors, 'spec', specOf(job));
    checkJobSelector(errors, specOf(job));
    if (old === undefined) checkIndexedName(errors, job);
  },
  change: checkJobChange,
  status: checkJobStatus,
});

const parallelismMaxIndexed = 100_000;
const failedIndexesMax = 100_000;
const completionsSoftMax = 100_000;
const highParallelismMax = 10_000;
const highFailedIndexesMax = 10_000;
const managedByBytesMax = 63;

const counts = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
];

export function checkJobSpec(errors: Errors, path: string, spec: JsonObject): void {
  checkNonNegatives(errors, path, spec, counts);
  const perIndex = numberAt(spec, 'backoffLimitPerIndex');
  const failed = numberAt(spec, 'maxFailedIndexes');
  if (failed !== undefined && perIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  const managedBy = valueAt(spec, 'managedBy');
  if (typeof managedBy === 'string') {
    checkDomainPath(errors, `${path}.managedBy`, managedBy);
    if (managedBy.length > managedByBytesMax) errors.push(tooLong(`${path}.managedBy`, managedByBytesMax));
  }
  const mode = valueAt(spec, 'completionMode');
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed') {
    errors.push(notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']));
  }
  if (mode === 'Indexed') checkIndexed(errors, path, spec);
  else if (mode === undefined || mode === 'NonIndexed') {
    const why = 'requires indexed completion mode';
    if (perIndex !== undefined) errors.push(invalid(`${path}.backoffLimitPerIndex`, perIndex, why));
    if (failed !== undefined) errors.push(invalid(`${path}.maxFailedIndexes`, failed, why));
  }
  const failurePolicy = objectAt(spec, 'podFailurePolicy');
  if (failurePolicy !== undefined)
    checkFailurePolicy(errors, `${path}.podFailurePolicy`, spec, failurePolicy);
  const successPolicy = objectAt(spec, 'successPolicy');
  if (successPolicy !== undefined) {
    if (mode !== 'Indexed') {
      errors.push(invalid(`${path}.successPolicy`, successPolicy, 'requires indexed completion mode'));
    } else checkSuccessPolicy(errors, `${path}.successPolicy`, spec, successPolicy);
  }
  const replacement = valueAt(spec, 'podReplacementPolicy');
  if (replacement !== undefined) {
    const known = failurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
    if (!known.includes(replacement as string)) {
      errors.push(notSupported(`${path}.podReplacementPolicy`, replacement, known));
    }
  }
  const template = objectAt(spec, 'template') ?? {};
  checkPodTemplate(errors, `${path}.template`, template);
  checkRestartPolicy(errors, `${path}.template.spec.restartPolicy`, template, failurePolicy !== undefined);
}

function checkRestartPolicy(
  errors: Errors,
  at: string,
  template: JsonObject,
  hasFailurePolicy: boolean,
): void {
  const policy = textAt(template, 'spec', 'restartPolicy');
  if (policy === 'Always' || policy === '') {
    errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(notSupported(at, policy, ['OnFailure', 'Never']));
  } else if (hasFailurePolicy && policy !== 'Never') {
    errors.push(invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
}

function checkIndexed(errors: Errors, path: string, spec: JsonObject): void {
  const completions = numberAt(spec, 'completions');
  const parallelism = numberAt(spec, 'parallelism');
  const failed = numberAt(spec, 'maxFailedIndexes');
  if (completions === undefined) {
    errors.push(required(`${path}.completions`, 'when completion mode is Indexed'));
  }
  if (parallelism !== undefined && parallelism > parallelismMaxIndexed) {
    const why = `must be less than or equal to ${parallelismMaxIndexed} when completion mode is Indexed`;
    errors.push(invalid(`${path}.parallelism`, parallelism, why));
  }
  if (failed !== undefined) {
    if (completions !== undefined && failed > completions) {
      const why = 'must be less than or equal to completions';
      errors.push(invalid(`${path}.maxFailedIndexes`, failed, why));
    }
    if (failed > failedIndexesMax) {
      const why = `must be less than or equal to ${failedIndexesMax}`;
      errors.push(invalid(`${path}.maxFailedIndexes`, failed, why));
    }
  }
  const isHigh = completions !== undefined && completions > completionsSoftMax;
  if (!isHigh || numberAt(spec, 'backoffLimitPerIndex') === undefined) return;
  const used = `when completions are above ${completionsSoftMax} and used with backoff limit per index`;
  if (failed === undefined) {
    const why = `must be specified when completions is above ${completionsSoftMax}`;
    errors.push(required(`${path}.maxFailedIndexes`, why));
  }
  if (parallelism !== undefined && parallelism > highParallelismMax) {
    const why = `must be less than or equal to ${highParallelismMax} ${used}`;
    errors.push(invalid(`${path}.parallelism`, parallelism, why));
  }
  if (failed !== undefined && failed > highFailedIndexesMax) {
    const why = `must be less than or equal to ${highFailedIndexesMax} ${used}`;
    errors.push(invalid(`${path}.maxFailedIndexes`, failed, why));
  }
}

/** `example.com/name`: a domain and a path. */
function checkDomainPath(errors: Errors, at: string, value: string): void {
  if (value === '') {
    errors.push(required(at));
    return;
  }
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1) {
    errors.push(invalid(at, value, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    return;
  }
  for (const message of dns1123Subdomain(value.slice(0, slash))) {
    errors.push(invalid(at, value.slice(0, slash), message));
  }
}

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const rulesMax = 20;
const exitCodesMax = 255;
const patternsMax = 20;

function checkFailurePolicy(errors: Errors, path: string, spec: JsonObject, policy: JsonObject): void {
  const rules = objectsAt(policy, 'rules');
  if (rules.length > rulesMax) errors.push(tooMany(`${path}.rules`, rules.length, rulesMax));
  const names = new Set(
    [
      ...objectsAt(spec, 'template', 'spec', 'containers'),
      ...objectsAt(spec, 'template', 'spec', 'initContainers'),
    ].map((container) => textAt(container, 'name')),
  );
  rules.forEach((one, i) => {
    const at = `${path}.rules[${i}]`;
    const action = textAt(one, 'action');
    if (action === '') {
      errors.push(required(`${at}.action`, 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'));
    } else if (action === 'FailIndex') {
      if (numberAt(spec, 'backoffLimitPerIndex') === undefined) {
        errors.push(invalid(`${at}.action`, action, 'requires the backoffLimitPerIndex to be set'));
      }
    } else if (!actions.includes(action)) errors.push(notSupported(`${at}.action`, action, actions));
    const codes = objectAt(one, 'onExitCodes');
    const patterns = objectsAt(one, 'onPodConditions');
    if (codes !== undefined) checkExitCodes(errors, `${at}.onExitCodes`, codes, names);
    checkPatterns(errors, `${at}.onPodConditions`, patterns);
    if (codes !== undefined && patterns.length > 0) {
      errors.push(omitted(at, 'specifying both OnExitCodes and OnPodConditions is not supported'));
    }
    if (codes === undefined && patterns.length === 0) {
      errors.push(omitted(at, 'specifying one of OnExitCodes and OnPodConditions is required'));
    }
  });
}

/** An error whose value would help nobody. */
function omitted(field: string, why: string) {
  return { type: 'FieldValueInvalid', field, message: `Invalid value: ${why}` } as const;
}

function checkPatterns(errors: Errors, path: string, patterns: readonly JsonObject[]): void {
  if (patterns.length > patternsMax) errors.push(tooMany(path, patterns.length, patternsMax));
  patterns.forEach((pattern, i) => {
    checkName(errors, `${path}[${i}].type`, textAt(pattern, 'type'), labelKey);
    const status = textAt(pattern, 'status');
    if (status === '') {
      errors.push(required(`${path}[${i}].status`, 'valid values: ["False" "True" "Unknown"]'));
    } else if (!['False', 'True', 'Unknown'].includes(status)) {
      errors.push(notSupported(`${path}[${i}].status`, status, ['False', 'True', 'Unknown']));
    }
  });
}

function checkExitCodes(errors: Errors, path: string, codes: JsonObject, names: ReadonlySet<string>): void {
  const operator = textAt(codes, 'operator');
  if (operator === '') errors.push(required(`${path}.operator`, 'valid values: ["In" "NotIn"]'));
  else if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(notSupported(`${path}.operator`, operator, ['In', 'NotIn']));
  }
  const container = valueAt(codes, 'containerName');
  if (typeof container === 'string' && !names.has(container)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalid(`${path}.containerName`, container, why));
  }
  const values = valueAt(codes, 'values');
  const list = Array.isArray(values) ? values.filter((one) => typeof one === 'number') : [];
  if (list.length === 0) errors.push(invalid(`${path}.values`, list, 'at least one value is required'));
  else if (list.length > exitCodesMax) errors.push(tooMany(`${path}.values`, list.length, exitCodesMax));
  let ordered = true;
  list.forEach((code, i) => {
    if (operator === 'In' && code === 0) {
      errors.push(invalid(`${path}.values[${i}]`, code, 'must not be 0 for the In operator'));
    }
    if (list.indexOf(code) < i) errors.push(duplicate(`${path}.values[${i}]`, code));
    if (i > 0 && list[i - 1]! > code) ordered = false;
  });
  if (!ordered) errors.push(invalid(`${path}.values`, list, 'must be ordered'));
}

function checkSuccessPolicy(errors: Errors, path: string, spec: JsonObject, policy: JsonObject): void {
  const rules = objectsAt(policy, 'rules');
  if (rules.length === 0) {
    const why = 'at least one rules must be specified when the successPolicy is specified';
    errors.push(required(`${path}.rules`, why));
  }
  if (rules.length > rulesMax) errors.push(tooMany(`${path}.rules`, rules.length, rulesMax));
  const completions = numberAt(spec, 'completions') ?? 0;
  rules.forEach((one, i) => {
    const at = `${path}.rules[${i}]`;
    const count = numberAt(one, 'succeededCount');
    const indexes = valueAt(one, 'succeededIndexes');
    if (count === undefined && indexes === undefined) {
      errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'));
    }
    let total = completions;
    if (typeof indexes === 'string') {
      const parsed = countIndexes(indexes, completions);
      if (typeof parsed === 'string') {
        errors.push(invalid(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${parsed}`));
      } else total = parsed;
    }
    if (count === undefined) return;
    checkNonNegative(errors, `${at}.succeededCount`, count);
    if (count > completions) {
      const why = `must be less than or equal to ${completions} (the number of specified completions)`;
      errors.push(invalid(`${at}.succeededCount`, count, why));
    }
    if (indexes !== undefined && count > total) {
      const why = `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`;
      errors.push(invalid(`${at}.succeededCount`, count, why));
    }
  });
}

function checkGeneratedSelector(errors: Errors, job: KubeObject): void {
  if (booleanAt(job, 'spec', 'manualSelector') === true) return;
  const selector = objectAt(job, 'spec', 'selector');
  if (selector === undefined) return; // there is one by now
  const uid = job.metadata.uid ?? '';
  const name = job.metadata.name ?? '';
  const expected: JsonObject = {
    'controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
  };
  const labels = objectAt(job, 'spec', 'template', 'metadata', 'labels');
  for (const key in expected) {
    const at = 'spec.template.metadata.labels';
    const value = labels?.[key];
    if (value === undefined) errors.push(required(`${at}[${key}]`, `must be '${String(expected[key])}'`));
    else if (value !== expected[key]) {
      errors.push(invalid(`${at}[${key}]`, byKey(labels), `must be '${String(expected[key])}'`));
    }
  }
  if (selectorMatches(selector, expected) === false) {
    errors.push(invalid('spec.selector', selector, '`selector` not auto-generated'));
  }
}

function checkJobSelector(errors: Errors, spec: JsonObject): void {
  const selector = objectAt(spec, 'selector');
  if (selector === undefined) errors.push(required('spec.selector'));
  else checkSelector(errors, 'spec.selector', selector);
  const labels = objectAt(spec, 'template', 'metadata', 'labels');
  // A selector that is absent selects nothing.
  if (selector === undefined || selectorMatches(selector, labels) === false) {
    errors.push(
      invalid('spec.template.metadata.labels', byKey(labels), '`selector` does not match template `labels`'),
    );
  }
}

/** Pods of an indexed Job are called after it; the last index must still make a DNS label. */
function checkIndexedName(errors: Errors, job: KubeObject): void {
  const completions = numberAt(job, 'spec', 'completions') ?? 0;
  if (textAt(job, 'spec', 'completionMode') !== 'Indexed' || completions <= 0) return;
  const name = job.metadata.name ?? '';
  const hostname = `${name}-${completions - 1}`;
  if (dns1123Label(hostname).length === 0) return;
  const why = `will not able to create pod with invalid DNS label: ${hostname}`;
  errors.push(invalid('metadata.name', name, why));
}

function checkJobChange(errors: Errors, job: KubeObject, old: KubeObject): void {
  const spec = specOf(job);
  // Once more (ValidateJobUpdate beside ValidateJob).
  checkJobSpec(errors, 'spec', spec);
  checkJobSelector(errors, spec);
  const before = specOf(old);
  if (textAt(spec, 'completionMode') !== 'Indexed') {
    checkImmutable(errors, 'spec.completions', spec['completions'], before['completions']);
  } else if (spec['completions'] !== before['completions'] && spec['completions'] !== spec['parallelism']) {
    const why = 'can only be modified in tandem with spec.parallelism';
    errors.push(invalid('spec.completions', spec['completions'] ?? null, why));
  }
  checkImmutable(errors, 'spec.selector', spec['selector'], before['selector']);
  checkTemplateChange(errors, job, old);
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ]) {
    checkImmutable(errors, `spec.${field}`, spec[field], before[field]);
  }
}

/** A suspended Job that never ran may still be told where its pods go (KEP-2926). */
function checkTemplateChange(errors: Errors, job: KubeObject, old: KubeObject): void {
  const template = objectAt(job, 'spec', 'template') ?? {};
  const before = objectAt(old, 'spec', 'template') ?? {};
  if (equalJson(template, before)) return;
  const wasSuspended = booleanAt(old, 'spec', 'suspend') === true;
  const neverRan = valueAt(old, 'status', 'startTime') === undefined;
  const expected = cloneJson(before);
  if (wasSuspended && neverRan) {
    const spec = objectAt(expected, 'spec') ?? {};
    for (const field of ['nodeSelector', 'tolerations', 'schedulingGates']) {
      copy(spec, objectAt(template, 'spec'), field);
    }
    const affinity = { ...objectAt(spec, 'affinity') };
    copy(affinity, objectAt(template, 'spec', 'affinity'), 'nodeAffinity');
    if (Object.keys(affinity).length > 0) spec['affinity'] = affinity;
    else delete spec['affinity'];
    const metadata: JsonObject = { ...objectAt(expected, 'metadata') };
    for (const field of ['labels', 'annotations']) copy(metadata, objectAt(template, 'metadata'), field);
    expected['metadata'] = metadata;
  }
  checkImmutable(errors, 'spec.template', template, expected);
}

function copy(into: JsonObject, from: JsonObject | undefined, field: string): void {
  const value = from?.[field];
  if (value === undefined) delete into[field];
  else into[field] = value;
}
