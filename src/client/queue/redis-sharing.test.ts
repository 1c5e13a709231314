import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { until } from '#test/harness/until.ts';
import { silentLogger } from '../logger.ts';
import type { KeyQueue } from './key-queue.ts';
import { laneCount } from './lanes.ts';
import { RedisSharing } from './redis-sharing.ts';
import { RedisServer, redisMissing } from './testing/redis-server.ts';

const owners = Array.from({ length: 200 }, (_, index) => `project-${index}`);

/** One process that takes part. */
class Member {
  readonly sharing: RedisSharing;
  readonly queue: KeyQueue;
  /** Owner → how often it was gained. */
  readonly gained = new Map<string, number>();

  constructor(redis: RedisServer, scope = 'control-plane', leaseMs = 1_000) {
    this.sharing = new RedisSharing({
      redis: { url: redis.url },
      prefix: 'test',
      clock: systemClock,
      logger: silentLogger,
      leaseMs,
    });
    this.queue = this.sharing.queue((key) => key);
    this.sharing.start(scope, {
      gained: (owns) => {
        for (const owner of owners)
          if (owns(owner)) this.gained.set(owner, (this.gained.get(owner) ?? 0) + 1);
      },
      lost: () => {},
    });
  }

  /**
   * Adds a key that it owns until one comes, and finishes it. Again and again: after a pause longer than the lease it owns
   * nothing for a moment, and takes nothing in.
   */
  async works(): Promise<void> {
    let key: string | undefined;
    const taken = this.queue.take().then((one) => {
      key = one;
    });
    await until('it is given a key of its own', () => {
      const [own] = this.owned;
      if (key === undefined && own !== undefined) this.queue.add(own);
      return key !== undefined;
    });
    await taken;
    this.queue.done(key ?? '');
  }

  get owned(): string[] {
    return owners.filter((owner) => this.sharing.owns(owner));
  }

  async stop(): Promise<void> {
    this.queue.close();
    await this.sharing.stop();
  }
}

describe('sharing through Redis', { skip: redisMissing ?? false }, () => {
  let redis: RedisServer;

  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis.stop());

  test('members divide the owners, hand them over, and never share one', async () => {
    const first = new Member(redis);
    await until('the first has all', () => first.owned.length === owners.length);
    const second = new Member(redis);
    const stranger = new Member(redis, 'another control plane');
    const shared: string[] = [];
    await until('both have half of them, and together all', () => {
      shared.push(...first.owned.filter((owner) => second.sharing.owns(owner)));
      const halves = [first, second].every(({ sharing }) => Math.abs(sharing.share - 0.5) < 0.01);
      return halves && first.owned.length + second.owned.length === owners.length;
    });
    assert.deepEqual(shared, []);
    await until('another control plane is not met', () => stranger.owned.length === owners.length);

    await until("another's keys are not taken in", () => {
      const [key] = second.owned;
      if (key === undefined) return false;
      first.queue.add(key);
      return first.queue.size === 0;
    });
    await second.works();
    await second.stop();
    await until('the first has all again', () => first.owned.length === owners.length);
    await Promise.all([first.stop(), stranger.stop()]);
  });

  test('a flush and a restart are noticed, and everything is looked at again', async () => {
    const member = new Member(redis);
    const gainedAll = (times: number) => () =>
      owners.every((owner) => (member.gained.get(owner) ?? 0) >= times);
    await until('it has all', gainedAll(1));
    await redis.send('FLUSHALL');
    await until('it was told again after the flush', gainedAll(2));
    await redis.kill();
    await until('it owns nothing while Redis is away', () => member.owned.length === 0);
    await redis.start();
    await until('it was told again after the restart', gainedAll(3));
    await member.works();
    await member.stop();
  });

  test('one that has lost its lanes and does not know it yet takes none of the work of their new holder', async (t) => {
    const former = new Member(redis, 'control-plane', 60_000);
    t.after(() => former.stop());
    await until('the former has all', () => former.owned.length === owners.length);
    const next = new Member(redis);
    t.after(() => next.stop());
    // The one that asks first has all of them; the other asks in some seconds.
    await redis.send('FLUSHALL');
    await until('the next has all', () => next.owned.length === owners.length);
    const done = new Set<string>();
    const works = async () => {
      for (let key = await next.queue.take(); key !== undefined; key = await next.queue.take()) {
        done.add(key);
        next.queue.done(key);
      }
    };
    const working = works();
    await until('all of it was done by the next', () => {
      // Again: it turns away what comes while a slow machine has let its lease lapse.
      for (const owner of owners) if (!done.has(owner)) next.queue.add(owner);
      return done.size === owners.length;
    });
    const queues = `EVAL "return #redis.call('KEYS', '*:objects-*:meta')" 0`;
    await until('what the former left in Redis is gone', async () => {
      const left = await redis.send(queues);
      assert.equal(left, `:${laneCount}`);
      return true;
    });
    await next.stop();
    await working;
  });

  test('nothing is left open in the process by those that stopped', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const members = [new Member(redis), new Member(redis)];
    await until('both have a part', () => members.every((member) => member.owned.length > 0));
    await redis.kill();
    await until('they own nothing', () => members.every((member) => member.owned.length === 0));
    await redis.start();
    await until('both have a part again', () => members.every((member) => member.owned.length > 0));
    await Promise.all(members.map((member) => member.stop()));
    await until('all connections are closed', () => sockets() <= before);
  });

  test('the log says why Redis is not to be had, and once as long as it stays so', async () => {
    const secured = await RedisServer.start(['--requirepass', 'secret']);
    const warnings: string[] = [];
    const logger = {
      ...silentLogger,
      warn: (fields: object) => warnings.push((fields as { readonly err: Error }).err.message),
    };
    const sharing = new RedisSharing({
      redis: { url: secured.url, password: 'wrong' },
      prefix: 'test',
      clock: systemClock,
      logger,
      leaseMs: 100,
    });
    sharing.queue((key) => key);
    sharing.start('control-plane', { gained: () => {}, lost: () => {} });
    await until('it is refused', () => warnings.some((text) => text.startsWith('WRONGPASS')));
    await secured.kill();
    await until('it is gone', () => warnings.some((text) => text.includes('ECONNREFUSED')));
    assert.equal(new Set(warnings).size, warnings.length);
    await sharing.stop();
    await secured.stop();
  });
});
