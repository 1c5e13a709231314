import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '#test/harness/until.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import { bootstrapFlowSchemas, bootstrapPriorityLevels } from './bootstrap-objects.ts';
import { FlowConfiguration } from './flow-configuration.ts';
import { Askers, accountOf, bootstrap, controllerOf, turn, userOf } from './testing/askers.ts';

describe('seats, queues and refusals (O2)', () => {
  test('a workspace that floods holds half of the seats, waits in its own queues, and is refused beyond', async () => {
    let now = 0;
    const controller = controllerOf({ seatsMax: 48, turnMs: 1e6 }, { now: () => now });
    const askers = new Askers(controller);
    askers.ask('flood', 1_000);
    await turn();
    const held = askers.held('flood');
    assert.ok(held > 0 && held <= 24, `${held} of 48 seats`);
    assert.equal(controller.queued, 300, 'six queues of fifty');
    assert.equal(askers.refused('flood'), 1_000 - 300 - held);
    // What it asked for in one moment is no burden any more.
    now += 200;
    askers.ask('quiet', 2);
    await turn();
    assert.equal(askers.held('quiet'), 2);
    assert.equal(askers.refused('quiet'), 0);
    askers.leave('flood', 5);
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(askers.held('flood'), held, 'those that wait take the seats that became free');
    assert.equal(controller.queued, 295);
  });

  test('everything is counted out again, and nothing is kept', async () => {
    const controller = controllerOf({ seatsMax: 20, turnMs: 1e6 });
    const askers = new Askers(controller);
    askers.ask('a', 60);
    askers.ask('b', 60, accountOf('default', 'x'));
    for (let i = 0; i < 2_000 && controller.queued + askers.held('a') + askers.held('b') > 0; i++) {
      askers.leave('a', 3);
      askers.leave('b', 3);
      await turn();
    }
    assert.equal(controller.queued, 0);
    assert.equal(askers.order.length + askers.refused('a') + askers.refused('b'), 120);
    const text = controller.render();
    assert.match(text, /current_executing_seats\{priority_level="global-default"\} 0/);
    assert.match(text, /current_inqueue_requests\{[^}]*flow_schema="service-accounts"\} 0/);
    assert.match(text, /nominal_limit_seats\{priority_level="workload-low"\} \d+/);
    assert.match(
      text,
      /request_wait_duration_seconds_count\{[^}]*flow_schema="global-default",execute="true"\} \d+/,
    );
  });

  test('a level borrows what others do not use, as far as they lend', async () => {
    const askers = new Askers(controllerOf({ seatsMax: 305, turnMs: 1e6 }, { isShared: false }));
    // 305 seats, 305 shares: workload-low has 100 of its own and lends 90.
    askers.ask('a', 400);
    await turn();
    assert.ok(askers.held('a') > 20, 'more than its own');
    const before = askers.held('a');
    askers.ask('b', 10, accountOf('default', 'x'));
    await turn();
    assert.equal(askers.held('b'), 10, 'what was not lent is there');
    assert.ok(before < 305 - 10);
  });

  test('exempt requests neither wait nor are refused; Reject levels refuse at once', async () => {
    const controller = controllerOf({ seatsMax: 1, turnMs: 1e6 });
    const askers = new Askers(controller);
    askers.ask('admin', 500, userOf('admin', systemMasters));
    assert.equal(askers.held('admin'), 500);
    const nobody: UserInfo = { name: 'nobody', groups: [], extra: new Map() };
    askers.ask('n', 10, nobody);
    assert.ok(askers.refused('n') > 0);
    assert.equal(askers.held('n') + askers.refused('n'), 10);
    assert.equal(controller.queued, 0);
  });

  test('what has waited too long is refused, and what nobody waits for is let go', async () => {
    let now = 0;
    const controller = controllerOf({ seatsMax: 1, turnMs: 1e6, queueWaitMs: 20 }, { now: () => now });
    const askers = new Askers(controller);
    askers.ask('a', 20);
    await turn();
    const waiting = controller.queued;
    assert.ok(waiting > 10);
    now += 21;
    await until('nothing waits', () => controller.queued === 0);
    await turn();
    assert.equal(askers.refused('a'), waiting);
    const line = new RegExp(`rejected_requests_total\\{[^}]*reason="time-out"\\} ${waiting}`);
    assert.match(controller.render(), line);
  });

  test("a workspace's own levels divide its part, and nothing else", async () => {
    const own = new FlowConfiguration(
      [
        ...bootstrapFlowSchemas,
        {
          apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
          kind: 'FlowSchema',
          metadata: { name: 'mine', uid: 'mine' },
          spec: {
            matchingPrecedence: 3,
            priorityLevelConfiguration: { name: 'exempt' },
            rules: [
              {
                subjects: [{ kind: 'User', user: { name: 'jane' } }],
                resourceRules: [
                  { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
                ],
              },
            ],
          },
        },
      ],
      bootstrapPriorityLevels,
    );
    const controller = controllerOf(
      { seatsMax: 48, turnMs: 1e6 },
      { configurations: { server: bootstrap, of: ({ id }) => (id === 'own' ? own : undefined) } },
    );
    const askers = new Askers(controller);
    askers.ask('own', 500, userOf('joe'));
    await turn();
    const held = askers.held('own');
    assert.ok(held < 24 && askers.refused('own') > 0, 'calling oneself exempt gives no more');
    askers.ask('own', 1);
    askers.leave('own', 1);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.seats.get('own')?.at(-1)?.shown.schema.name, 'mine', 'what it exempts goes first');
    askers.ask('other', 1);
    assert.equal(askers.held('other'), 1);
  });

  test('more waiting requests than the bound are refused to those who have most of them', async () => {
    const controller = controllerOf({ seatsMax: 20, queuedMax: 100, turnMs: 1e6 });
    const askers = new Askers(controller);
    for (let user = 0; user < 50; user++) askers.ask('flood', 20, userOf(`user-${user}`));
    await turn();
    assert.ok(controller.queued <= 100);
    askers.ask('b', 40);
    await turn();
    assert.equal(askers.refused('b'), 0);
    for (let i = 0; i < 200; i++) askers.ask(`many-${i}`, 20);
    assert.ok(controller.queued <= 200);
  });
});
