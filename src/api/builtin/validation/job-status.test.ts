import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Errors } from './common.ts';
import { checkJobStatus } from './job-status.ts';

const is = (...types: string[]) => types.map((type) => ({ type, status: 'True' }));
const start = '2026-01-01T00:00:00Z';
const end = '2026-01-01T01:00:00Z';
const complete: JsonObject = {
  conditions: is('SuccessCriteriaMet', 'Complete'),
  startTime: start,
  completionTime: end,
};

/** Status, what was before, spec, and what is told of them. */
const rows: readonly (readonly [string, JsonObject, JsonObject, JsonObject, readonly string[]])[] = [
  ['what a Job goes through', complete, { active: 1, startTime: start }, {}, []],
  ['nothing new in what is wrong', { ready: 3, active: 1 }, { ready: 3, active: 1 }, {}, []],
  [
    'counters',
    { succeeded: 1, failed: 1, ready: 3, active: 2 },
    { succeeded: 2, failed: 2 },
    {},
    ['status.ready', 'status.failed', 'status.succeeded'],
  ],
  [
    'an elastic Job may be scaled down',
    { succeeded: 1 },
    { succeeded: 2 },
    { completionMode: 'Indexed', completions: 3, parallelism: 3 },
    [],
  ],
  [
    'completion needs times and its criterion',
    { conditions: is('Complete'), active: 1, terminating: 1 },
    {},
    {},
    ['status.completionTime', 'status.conditions', 'status.active', 'status.startTime', 'status.terminating'],
  ],
  ['failure needs its target', { conditions: is('Failed'), startTime: start }, {}, {}, ['status.conditions']],
  ['failure with its target', { conditions: is('FailureTarget', 'Failed'), startTime: start }, {}, {}, []],
  ['an end stays', { startTime: start }, complete, {}, ['status.conditions', 'status.conditions']],
  [
    'times stay',
    { ...complete, startTime: '2026-01-01T00:00:01Z', completionTime: '2026-01-01T00:00:00Z' },
    complete,
    {},
    ['status.completionTime', 'status.completionTime', 'status.startTime'],
  ],
  ['a suspended Job begins anew', {}, { startTime: start }, { suspend: true }, []],
  [
    'indexes',
    { completedIndexes: '0-2,2', failedIndexes: '2' },
    {},
    { completions: 3, completionMode: 'Indexed', backoffLimitPerIndex: 1 },
    ['status.completedIndexes', 'status.failedIndexes'],
  ],
  [
    'indexes of what has none',
    { completedIndexes: '0', failedIndexes: '1' },
    {},
    { completions: 3 },
    ['status.completedIndexes', 'status.failedIndexes'],
  ],
  [
    'uncounted pods',
    { uncountedTerminatedPods: { succeeded: ['', 'a', 'a'], failed: ['a'] } },
    {},
    {},
    [
      'status.uncountedTerminatedPods.succeeded[0]',
      'status.uncountedTerminatedPods.succeeded[2]',
      'status.uncountedTerminatedPods.failed[0]',
    ],
  ],
];

function job(status: JsonObject, spec: JsonObject, managedFields?: KubeObject['metadata']['managedFields']) {
  const metadata = managedFields === undefined ? { name: 'j' } : { name: 'j', managedFields };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec, status };
}

test('a Job’s status goes the ways that Kubernetes allows (pkg/apis/batch/validation ValidateJobStatusUpdate)', () => {
  for (const [what, status, before, spec, fields] of rows) {
    const errors: Errors = [];
    checkJobStatus(errors, job(status, spec), job(before, spec));
    const told = errors.map(({ field }) => field);
    assert.deepEqual(told.sort(), [...fields].sort(), what);
  }
});

test('what was gathered from several cells may go back', () => {
  const errors: Errors = [];
  const managers = [{ manager: 'cellplane', operation: 'Apply' as const, subresource: 'status' }];
  const gathered = { conditions: is('Failed'), active: 2, failed: 1, startTime: '2026-01-02T00:00:00Z' };
  checkJobStatus(errors, job(gathered, {}, managers), job({ failed: 3, startTime: start }, {}));
  assert.deepEqual(errors, []);
});
