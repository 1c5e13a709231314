import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { EdgeProblem } from '../edge/edge-problem.ts';
import { HealthMonitor } from './health-monitor.ts';

const away: EdgeProblem = { reason: 'ConnectionRefused', message: 'no', reached: false };
const refused: EdgeProblem = { reason: 'Unauthorized', message: 'who', reached: true };
const answer = { kubernetesVersion: 'v1.36.0', latencyMs: 3 };

function monitor(failures = 3, successes = 2) {
  return new HealthMonitor({
    clock: new ManualClock(),
    thresholds: () => ({ failures, successes }),
    onChange: () => {},
  });
}

/** Looks, as letters: + answered, - away, r refused. */
function states(looks: string, failures?: number, successes?: number): string[] {
  const one = monitor(failures, successes);
  return [...looks].map((look) => {
    if (look === '+') one.succeeded(answer);
    else one.failed(look === 'r' ? refused : away);
    return `${one.health.reachable}${one.health.refused ? ' refused' : ''}`;
  });
}

const rows: readonly (readonly [string, string, readonly string[]])[] = [
  ['the first look of all decides', '-', ['False']],
  ['the first answer of all decides', '+', ['True']],
  [
    'failureThreshold failures in a row',
    '+--+---',
    ['True', 'True', 'True', 'True', 'True', 'True', 'False'],
  ],
  ['successThreshold answers in a row', '-+-++', ['False', 'False', 'False', 'False', 'True']],
  ['a refusal is told at once', '+r', ['True', 'True refused']],
  ['from refused to away', '+r-', ['True', 'True refused', 'False']],
  ['from refused to accepted', '+r+', ['True', 'True refused', 'True']],
];
for (const [name, looks, want] of rows) {
  test(`health of an edge: ${name} (${looks})`, () => assert.deepEqual(states(looks), want));
}

test('a failure that does not yet count is told as the last error, and another look is wanted soon', () => {
  const one = monitor();
  one.succeeded(answer);
  assert.equal(one.undecided, false);
  one.failed(away);
  assert.equal(one.health.reachable, 'True');
  assert.equal(one.health.lastError, 'no');
  assert.equal(one.undecided, true);
  one.succeeded(answer);
  assert.equal(one.health.lastError, undefined);
});

test('what is wrong although it answers stands in its message', () => {
  const one = monitor();
  one.succeeded({ ...answer, note: { reason: 'CredentialsNotUsable', message: 'expired', reached: true } });
  assert.deepEqual(
    [one.health.reachable, one.health.reason, one.health.message, one.health.refused],
    ['True', 'CredentialsNotUsable', 'expired', false],
  );
});
