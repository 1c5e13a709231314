import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Refusal, Seat } from './flow-request.ts';
import { Askers, controllerOf, isSeat, jane, requestOf, turn, userOf } from './testing/askers.ts';

describe('workspaces that keep the thread busy (O2)', () => {
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

  describe('whose writes are on their way to the disk', () => {
    const scene = () => {
      const clock = { ms: 1_000 };
      const later: (() => void)[] = [];
      const controller = controllerOf(
        { turnMs: 1e6 },
        { now: () => clock.ms, later: (callback) => later.push(callback) },
      );
      const askers = new Askers(controller);
      const turns = async (): Promise<void> => {
        for (let i = 0; i < 5; i++) await turn();
      };
      /** Time goes by while the thread has nothing to do. */
      const goBy = async (ms: number): Promise<void> => {
        await turns();
        clock.ms += ms;
        for (const callback of later.splice(0)) callback();
        await turns();
      };
      const write = async (workspace: string, count: number, ms: number): Promise<void> => {
        askers.ask(workspace, count);
        await goBy(ms);
        askers.leave(workspace, Math.min(count, askers.held(workspace)));
        await turns();
      };
      return { askers, controller, goBy, write };
    };

    test('it is heavy for what it has under way, and rests as long as that took', async () => {
      const { askers, controller, goBy, write } = scene();
      for (let i = 0; i < 5; i++) await write('flood', 16, 20);
      await write('quiet', 1, 4);
      askers.ask('flood', 16);
      assert.deepEqual([askers.held('flood'), controller.queued], [8, 8]);
      await goBy(6);
      askers.leave('flood', 8);
      await goBy(5);
      assert.equal(askers.held('flood'), 0);
      askers.ask('quiet');
      assert.equal(askers.held('quiet'), 1, 'for others the disk is free');
      askers.leave('quiet');
      await goBy(2);
      assert.equal(askers.held('flood'), 8);
      // Not for ever when something lasts.
      await goBy(5_000);
      await write('quiet', 1, 4);
      askers.leave('flood', 8);
      await goBy(11);
      assert.equal(controller.queued, 0);
    });

    test('it does not rest where others only read', async () => {
      const { askers, controller, goBy, write } = scene();
      for (let i = 0; i < 5; i++) await write('flood', 16, 20);
      await write('quiet', 1, 0);
      askers.ask('flood', 16);
      assert.deepEqual([askers.held('flood'), controller.queued], [8, 8]);
      await goBy(6);
      askers.leave('flood', 8);
      await goBy(0);
      assert.equal(askers.held('flood'), 8);
    });
  });

  test('requests that cost nothing once they are known count for what it takes to read them', async () => {
    let now = 0;
    const controller = controllerOf({ turnMs: 1e6 }, { now: () => now });
    /** Whether its connections are left unread after the last of so many requests. */
    const crowds = async (requests: number, everyMs: number): Promise<boolean> => {
      let seat: Seat | undefined;
      for (let i = 0; i < requests; i++) {
        const answer = controller.enter(requestOf('reader'));
        assert.ok(!(answer instanceof Promise) && isSeat(answer));
        seat = answer;
        seat.leave();
        await turn();
        now += everyMs;
      }
      return seat?.crowds === true;
    };
    const quiet = controller.enter(requestOf('quiet'));
    assert.ok(!(quiet instanceof Promise) && isSeat(quiet));
    quiet.leave();
    assert.equal(await crowds(200, 1), false, '1,000 a second');
    assert.equal(await crowds(1_000, 0.2), true, '5,000 a second');
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

  test('our own processes have more seats of a workspace while nobody else asks', async () => {
    let now = 1_000;
    const askers = new Askers(controllerOf({ turnMs: 1e6, seatsMax: 2_000 }, { now: () => now }));
    const scheduler = userOf('system:cellplane:scheduler', 'system:cellplane:schedulers');
    askers.ask('ours', 140, scheduler);
    assert.equal(askers.held('ours'), 128, 'alone');
    askers.ask('theirs');
    askers.leave('ours', 128);
    for (let i = 0; i < 5; i++) await turn();
    askers.ask('ours', 100, scheduler);
    assert.equal(askers.held('ours'), 32, 'beside another');
    now += 200;
    askers.leave('ours', 1);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('ours'), 111, 'alone again: all that is left');
    askers.leave('ours', 111);
    now += 2_000;
    askers.ask('flood', 140);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(askers.held('flood'), 32, 'others have no more');
  });
});
