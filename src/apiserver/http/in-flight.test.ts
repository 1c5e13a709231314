import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mandatoryFlowSchemas, mandatoryPriorityLevels } from '../flow-control.ts';
import { InFlight } from './in-flight.ts';

test('workspaces that flood are refused, one that holds less than its part is not (O2)', () => {
  const inFlight = new InFlight({ requestsMax: 12, requestsPerWorkspaceMax: 8 });
  const flood = (workspace: string) => {
    let entered = 0;
    while (!inFlight.isFull(workspace) && entered < 100) {
      inFlight.enter(workspace);
      entered++;
    }
    return entered;
  };
  assert.equal(flood('a'), 8, 'its own bound');
  assert.equal(flood('b'), 6, 'the rest, and up to half of all seats');
  assert.equal(inFlight.isFull('a'), true);
  assert.equal(inFlight.isFull('b'), true);
  assert.equal(flood('quiet'), 4, 'a third of all');
  inFlight.leave('a');
  assert.equal(inFlight.isFull('a'), true, 'still above its part');
  for (const one of ['c', 'd', 'e', 'f', 'g', 'h', 'i']) flood(one);
  assert.ok(inFlight.total <= 24);
});

test('nothing is refused without limits being reached, and everything is counted out again', async () => {
  const inFlight = new InFlight({ requestsMax: 2, requestsPerWorkspaceMax: 2 });
  inFlight.enter('a');
  assert.equal(inFlight.isFull('a'), false);
  const idle = inFlight.whenIdle();
  inFlight.leave('a');
  await idle;
  assert.equal(inFlight.total, 0);
});

test('every workspace shows the mandatory objects of flow control (O2)', () => {
  assert.deepEqual(
    mandatoryFlowSchemas.map(({ metadata }) => metadata.name),
    ['catch-all', 'exempt'],
  );
  assert.deepEqual(
    mandatoryPriorityLevels.map(({ metadata }) => metadata.name),
    ['catch-all', 'exempt'],
  );
});
