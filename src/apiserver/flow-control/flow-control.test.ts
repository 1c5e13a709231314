import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { flowControlRules } from '#api/builtin/validation/flow-control.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { schemeOf } from '../http/testing/test-server.ts';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import { allAuthenticated, anonymousUser, systemMasters, type UserInfo } from '../request/user.ts';
import type { ClusterId, Workspace } from '../workspace/workspace.ts';
import { bootstrapFlowSchemas, bootstrapPriorityLevels } from './bootstrap-objects.ts';
import { FairNode } from './fair-node.ts';
import { FlowConfiguration } from './flow-configuration.ts';
import {
  FlowController,
  type FlowControllerOptions,
  type FlowLimits,
  type FlowRequest,
  type Refusal,
  type Seat,
} from './flow-controller.ts';
import { seatsOf } from './seats.ts';
import { dealHand } from './shuffle-shard.ts';

const bootstrap = new FlowConfiguration(bootstrapFlowSchemas, bootstrapPriorityLevels);
const userOf = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, allAuthenticated],
  extra: new Map(),
});
const jane = userOf('jane');
const accountOf = (namespace: string, name: string) =>
  userOf(
    `system:serviceaccount:${namespace}:${name}`,
    'system:serviceaccounts',
    `system:serviceaccounts:${namespace}`,
  );
const workspaceOf = (id: string) => ({ id: id as ClusterId, inert: false }) as Workspace;

function requestOf(
  workspace: string,
  user = jane,
  url = '/api/v1/namespaces/default/pods/x',
  parks = false,
  unread = 0,
): FlowRequest {
  return {
    parks,
    unread,
    info: parseRequestInfo('GET', url),
    user,
    workspace: workspaceOf(workspace),
    isGone: false,
  };
}

/** Its clock stands still unless the test moves it: what is measured of requests must not depend on the machine. */
function controllerOf(limits: Partial<FlowLimits>, options: Partial<FlowControllerOptions> = {}) {
  return new FlowController({
    configurations: { server: bootstrap, of: () => undefined },
    seatsOf: () => 1,
    limits: { refusalDelayMs: 0, ...limits },
    now: () => 0,
    ...options,
  });
}

const isSeat = (answer: Seat | Refusal): answer is Seat => answer.leave !== undefined;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What has been given to each asker by now. */
class Askers {
  readonly seats = new Map<string, Seat[]>();
  readonly refusals = new Map<string, number>();
  readonly order: string[] = [];
  readonly #controller: FlowController;

  constructor(controller: FlowController) {
    this.#controller = controller;
  }

  ask(workspace: string, count = 1, user = jane, url?: string): void {
    for (let i = 0; i < count; i++) {
      const answer = this.#controller.enter(requestOf(workspace, user, url));
      if (answer instanceof Promise) void answer.then((known) => this.#count(workspace, known));
      else this.#count(workspace, answer);
    }
  }

  held(workspace: string): number {
    return this.seats.get(workspace)?.length ?? 0;
  }

  refused(workspace: string): number {
    return this.refusals.get(workspace) ?? 0;
  }

  leave(workspace: string, count = 1): void {
    for (const seat of this.seats.get(workspace)?.splice(0, count) ?? []) seat.leave();
  }

  #count(workspace: string, answer: Seat | Refusal): void {
    if (!isSeat(answer)) {
      this.refusals.set(workspace, this.refused(workspace) + 1);
      return;
    }
    const seats = this.seats.get(workspace) ?? [];
    seats.push(answer);
    this.seats.set(workspace, seats);
    this.order.push(workspace);
  }
}

describe('flow control (O2)', () => {
  test('requests fall under the schemas that Kubernetes suggests', () => {
    const cases: [UserInfo, string, string, string][] = [
      [userOf('admin', systemMasters), 'GET', '/api/v1/pods', 'exempt/exempt'],
      [anonymousUser, 'GET', '/healthz', 'probes/exempt'],
      [anonymousUser, 'GET', '/version', 'global-default/global-default'],
      [jane, 'GET', '/api/v1/pods', 'global-default/global-default'],
      [accountOf('default', 'x'), 'GET', '/api/v1/pods', 'service-accounts/workload-low'],
      [accountOf('kube-system', 'x'), 'GET', '/api/v1/pods', 'kube-system-service-accounts/workload-high'],
      [
        accountOf('kube-system', 'x'),
        'PUT',
        '/apis/coordination.k8s.io/v1/namespaces/a/leases/l',
        'workload-leader-election/leader-election',
      ],
      [
        accountOf('kube-system', 'endpoint-controller'),
        'PUT',
        '/api/v1/namespaces/a/endpoints/e',
        'endpoint-controller/workload-high',
      ],
      [
        userOf('system:node:a', 'system:nodes'),
        'PATCH',
        '/api/v1/nodes/a/status',
        'system-node-high/node-high',
      ],
      [userOf('system:node:a', 'system:nodes'), 'GET', '/api/v1/pods', 'system-nodes/system'],
      [userOf('system:kube-scheduler'), 'GET', '/api/v1/pods', 'kube-scheduler/workload-high'],
      [
        userOf('system:cellplane:scheduler', 'system:cellplane:schedulers'),
        'GET',
        '/api/v1/pods',
        'federation/federation',
      ],
      [{ name: 'nobody', groups: [], extra: new Map() }, 'GET', '/api/v1/pods', 'catch-all/catch-all'],
    ];
    for (const [user, method, url, expected] of cases) {
      const { schema, level } = bootstrap.classify(parseRequestInfo(method, url), user);
      assert.equal(`${schema.name}/${level.name}`, expected, `${user.name} ${method} ${url}`);
    }
  });

  test('the lowest precedence goes first, then the name; a schema without its level is left out', () => {
    const schema = (name: string, matchingPrecedence: number, level: string): KubeObject => ({
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name, uid: name },
      spec: {
        matchingPrecedence,
        priorityLevelConfiguration: { name: level },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'jane' } }],
            resourceRules: [
              { verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['default'] },
              { verbs: ['get'], apiGroups: [''], resources: ['namespaces'], namespaces: ['special'] },
            ],
          },
        ],
      },
    });
    const configuration = new FlowConfiguration(
      [
        ...bootstrapFlowSchemas,
        schema('b', 50, 'workload-low'),
        schema('a', 50, 'workload-high'),
        schema('dangling', 10, 'missing'),
      ],
      bootstrapPriorityLevels,
    );
    const nameFor = (url: string) => configuration.classify(parseRequestInfo('GET', url), jane).schema.name;
    assert.equal(nameFor('/api/v1/namespaces/default/pods/x'), 'a');
    assert.equal(nameFor('/api/v1/namespaces/other/pods/x'), 'global-default');
    assert.equal(
      nameFor('/api/v1/namespaces/default/pods/x/status'),
      'global-default',
      'a subresource is its own',
    );
    assert.equal(nameFor('/api/v1/namespaces/special'), 'a', 'a namespace is in itself');
  });

  test('what Kubernetes insists on cannot be changed', () => {
    const { validate } = flowControlRules['flowschemas.flowcontrol.apiserver.k8s.io']!;
    const levelRule = flowControlRules['prioritylevelconfigurations.flowcontrol.apiserver.k8s.io']!;
    const causes = (errors: readonly { readonly message: string }[] = []) =>
      errors.map(({ message }) => message);
    for (const schema of bootstrapFlowSchemas) assert.deepEqual(causes(validate?.(schema)), []);
    for (const level of bootstrapPriorityLevels) assert.deepEqual(causes(levelRule.validate?.(level)), []);
    const catchAll = bootstrapFlowSchemas.find(({ metadata }) => metadata.name === 'catch-all')!;
    const altered = { ...catchAll, spec: { ...(catchAll['spec'] as object), matchingPrecedence: 9_000 } };
    assert.match(causes(validate?.(altered)).join(), /spec of 'catch-all' must equal the fixed value/);
  });

  test('a list costs a seat for each hundred objects, a watch as long as it begins with one', async () => {
    const storage = await openCachedStorage(createMemoryStorage());
    const pods = builtinDefinitions().find(({ group, resource }) => group === '' && resource === 'pods')!;
    const scheme = schemeOf(pods);
    for (let i = 0; i < 250; i++) {
      const namespace = i % 2 === 0 ? 'even' : 'odd';
      const key = objectKey({ ...pods.storedAs, clusterId: 'root', namespace, name: `pod-${i}` });
      const value = Buffer.from([0]);
      await storage.transact({ guards: [], operations: [{ type: 'put', key, value }] });
    }
    const workspace = workspaceOf('root');
    const seats = (url: string) => seatsOf(parseRequestInfo('GET', url), workspace, scheme, storage);
    assert.equal(seats('/api/v1/pods'), 3);
    assert.equal(seats('/api/v1/namespaces/odd/pods'), 2);
    assert.equal(seats('/api/v1/namespaces/odd/pods/pod-1'), 1);
    assert.equal(seats('/api/v1/pods?limit=100'), 1);
    assert.equal(seats('/api/v1/pods?limit=200'), 2);
    assert.equal(seats('/api/v1/pods?limit=10&labelSelector=a'), 3, 'a selector looks at everything');
    assert.equal(seats('/api/v1/pods?watch=true'), 3);
    assert.equal(seats('/api/v1/pods?watch=true&resourceVersion=5'), 1);
    assert.equal(seats('/api/v1/pods?watch=true&resourceVersion=5&sendInitialEvents=true'), 3);
    assert.equal(seats('/apis/absent.example.org/v1/things'), 1);
    await storage.close();
  });

  test('a hand has different queues, the same for the same flow', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 128 }), fc.nat(14), (flow, queues, more) => {
        const size = Math.min(queues, more + 1);
        const hand = dealHand(flow, queues, size);
        assert.equal(new Set(hand).size, size);
        assert.ok(hand.every((card) => Number.isInteger(card) && card >= 0 && card < queues));
        assert.deepEqual(dealHand(flow, queues, size), hand);
      }),
      { numRuns: 500 },
    );
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 6_400; i++) for (const card of dealHand(`schema/user-${i}`, 64, 6)) counts[card]!++;
    assert.ok(Math.min(...counts) > 450 && Math.max(...counts) < 750, `evenly dealt: ${counts}`);
  });

  test('waiting workspaces are served alike, and the one that has just come first', () => {
    const root = new FairNode<string>(undefined);
    const flood = new FairNode<string>(root);
    const other = new FairNode<string>(root);
    for (let i = 0; i < 1_000; i++) flood.push('flood');
    const take = () => {
      const leaf = root.next();
      leaf?.charge(0.1);
      return leaf?.shift();
    };
    for (let i = 0; i < 50; i++) assert.equal(take(), 'flood');
    other.push('quiet');
    assert.equal(take(), 'quiet', 'new flows go before those that have had their turn');
    for (let i = 0; i < 200; i++) other.push('quiet');
    const next = Array.from({ length: 200 }, take);
    const quiet = next.filter((one) => one === 'quiet').length;
    assert.ok(quiet > 90 && quiet < 110, `half each, ${quiet} of 200`);
    while (take() !== undefined);
    assert.equal(root.queued, 0);
  });

  test('weights divide the time', () => {
    const root = new FairNode<string>(undefined);
    const small = new FairNode<string>(root, 1);
    const large = new FairNode<string>(root, 3);
    for (let i = 0; i < 1_000; i++) {
      small.push('small');
      large.push('large');
    }
    let larges = 0;
    for (let i = 0; i < 400; i++) {
      const leaf = root.next();
      leaf?.charge(0.1);
      if (leaf?.shift() === 'large') larges++;
    }
    assert.ok(larges > 280 && larges < 320, `three quarters of 400, ${larges}`);
  });

  test('a workspace that floods holds half of the seats, waits in its own queues, and is refused beyond', async () => {
    const controller = controllerOf({ seatsMax: 48, turnMs: 1e6 });
    const askers = new Askers(controller);
    askers.ask('flood', 1_000);
    await turn();
    const held = askers.held('flood');
    assert.ok(held > 0 && held <= 24, `${held} of 48 seats`);
    assert.equal(controller.queued, 300, 'six queues of fifty');
    assert.equal(askers.refused('flood'), 1_000 - 300 - held);
    askers.ask('quiet', 2);
    await turn();
    assert.equal(askers.held('quiet'), 2);
    assert.equal(askers.refused('quiet'), 0);
    askers.leave('flood', 5);
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(askers.held('flood'), held, 'those that wait take the seats that became free');
    assert.equal(controller.queued, 295);
  });

  test('a workspace that keeps the thread busy has fewer seats while others ask too', async () => {
    let now = 0;
    const askers = new Askers(controllerOf({ turnMs: 1e6 }, { now: () => now }));
    const flood = async (requests: number): Promise<void> => {
      for (let i = 0; i < requests; i++) {
        now += 1;
        askers.ask('flood');
      }
      for (let i = 0; i < 5; i++) await turn();
    };
    await flood(100);
    assert.equal(askers.held('flood'), 32, 'alone');
    askers.ask('quiet');
    await flood(50);
    askers.leave('flood', 32);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('flood'), 8, 'beside another');
    // It only waits, for a webhook perhaps: then it is nobody's burden.
    now += 200;
    askers.leave('flood', 1);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('flood'), 32, 'while it uses no time');
    now += 2_000;
    await flood(100);
    askers.leave('flood', 32);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('flood'), 32, 'alone again');
  });

  test('what it has waiting is less then, where connections can be left unread', async () => {
    let now = 0;
    const controller = controllerOf({ turnMs: 1e6 }, { now: () => now, later: () => {} });
    const refusals: Refusal[] = [];
    const flood = async (requests: number, parks: boolean): Promise<void> => {
      for (let i = 0; i < requests; i++) {
        now += 1;
        const answer = controller.enter(requestOf('flood', jane, undefined, parks));
        if (!(answer instanceof Promise) && !isSeat(answer)) refusals.push(answer);
      }
      await turn();
    };
    await flood(200, true);
    assert.equal(refusals.length, 0, 'alone');
    void controller.enter(requestOf('quiet'));
    await flood(20, false);
    assert.equal(refusals.length, 0, 'a connection that bears more is not left unread');
    await flood(20, true);
    assert.equal(refusals.length, 20);
    assert.ok(refusals.every(({ parkMs }) => parkMs > 0));
  });

  test('a workspace with too many unread connections is refused, and remembered as heavy between its requests', async () => {
    let now = 0;
    const controller = controllerOf({ turnMs: 1e6 }, { now: () => now });
    const ask = async (workspace: string, unread: number): Promise<Seat | Refusal> => {
      const answer = controller.enter(requestOf(workspace, jane, undefined, true, unread));
      now += 1;
      await turn();
      return answer;
    };
    /** Served one by one: between two of them nothing of the workspace is under way. */
    const serve = async (workspace: string, requests: number): Promise<boolean> => {
      let crowds = false;
      for (let i = 0; i < requests; i++) {
        const seat = await ask(workspace, 128);
        assert.ok(isSeat(seat));
        seat.leave();
        crowds = seat.crowds;
        await turn();
      }
      return crowds;
    };
    assert.equal(await serve('flood', 50), false, 'alone');
    assert.equal(await serve('quiet', 1), false);
    assert.ok(!isSeat(await ask('flood', 128)), 'beside another');
    const seat = await ask('flood', 127);
    assert.ok(isSeat(seat));
    assert.ok(seat.crowds);
    seat.leave();
    assert.ok(!isSeat(await ask('flood', 128)));
    now += 200;
    assert.equal(await serve('flood', 1), false, 'cooled');
    assert.equal(controller.queued, 0);
  });

  test('a workspace that keeps the thread busy is not served while a request of another is under way', async () => {
    let now = 0;
    const later: (() => void)[] = [];
    const controller = controllerOf(
      { turnMs: 1e6 },
      { now: () => now, later: (callback) => later.push(callback) },
    );
    let eased = 0;
    controller.whenEased(() => eased++);
    let served = 0;
    const flood = async (requests: number): Promise<void> => {
      for (let i = 0; i < requests; i++) {
        const answer = controller.enter(requestOf('flood'));
        void Promise.resolve(answer).then((seat) => {
          assert.ok(isSeat(seat));
          served++;
          seat.leave();
        });
        now += 1;
        await turn();
      }
    };
    const quiet = (): Seat => {
      const seat = controller.enter(requestOf('quiet'));
      assert.ok(!(seat instanceof Promise) && isSeat(seat));
      return seat;
    };
    await flood(50);
    quiet().leave();
    await flood(1);
    assert.deepEqual([served, controller.givesWay], [51, false]);
    const first = quiet();
    const second = quiet();
    assert.equal(controller.givesWay, true);
    await flood(1);
    assert.deepEqual([served, controller.queued], [51, 1]);
    first.leave();
    await turn();
    assert.deepEqual([served, controller.givesWay], [51, true]);
    assert.equal(eased, 0);
    second.leave();
    assert.deepEqual([eased, controller.givesWay], [1, false]);
    await turn();
    await turn();
    assert.equal(served, 52);
    // One that waits for something slow keeps nobody away.
    const slow = quiet();
    await flood(1);
    assert.equal(served, 52);
    now += 10;
    for (const callback of later.splice(0)) callback();
    await turn();
    await turn();
    assert.equal(served, 53);
    slow.leave();
  });

  test('our own processes are never a crowd', async () => {
    let now = 0;
    const controller = controllerOf({ turnMs: 1e6 }, { now: () => now });
    const scheduler = userOf('system:cellplane:scheduler', 'system:cellplane:schedulers');
    for (let i = 0; i < 50; i++) {
      void controller.enter(requestOf('quiet'));
      const seat = controller.enter(requestOf('flood', scheduler, undefined, true, 1_000));
      now += 10;
      await turn();
      assert.ok(!(seat instanceof Promise) && isSeat(seat));
      assert.ok(!seat.crowds);
      seat.leave();
    }
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
    assert.match(text, /request_wait_duration_seconds_count\{[^}]*flow_schema="global-default"\} \d+/);
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

  test('a turn of the event loop that is used up makes the flood wait, not the others', async () => {
    let now = 0;
    const controller = controllerOf({ turnMs: 2 }, { now: () => now });
    const askers = new Askers(controller);
    askers.ask('flood');
    now = 3;
    askers.ask('flood', 5);
    assert.equal(askers.held('flood'), 1);
    assert.equal(controller.queued, 5);
    askers.ask('quiet');
    assert.equal(askers.held('quiet'), 1);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('flood'), 6);
  });

  test('our own processes have longer turns while nobody else asks', async () => {
    let now = 1_000;
    const controller = controllerOf({ turnMs: 2, ownTurnMs: 20 }, { now: () => now });
    const scheduler = userOf('system:cellplane:scheduler', 'system:cellplane:schedulers');
    const askers = new Askers(controller);
    const seatsOf = (ms: number, count: number) => {
      for (let i = 0; i < count; i++) {
        askers.ask('ours', 1, scheduler);
        now += ms;
      }
      return askers.held('ours');
    };
    assert.equal(seatsOf(5, 4), 4);
    await turn();
    askers.leave('ours', 4);
    askers.ask('theirs');
    now += 3;
    assert.equal(seatsOf(5, 4), 1);
    await turn();
    await turn();
    askers.leave('ours', 4);
    askers.leave('theirs');
    now += 200;
    await turn();
    assert.equal(seatsOf(5, 4), 4);
    askers.leave('ours', 4);
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
    while (controller.queued > 0) await new Promise((resolve) => setTimeout(resolve, 20));
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
