import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LeaseHolder } from '#client/lease.ts';
import { silentLogger } from '#client/logger.ts';
import { LeaderTerms } from './leader-terms.ts';

it('begins and ends terms one after the other, each with controllers of its own', async () => {
  const log: string[] = [];
  let tell: (held: boolean) => void = () => {};
  const lease = {
    onChange(listener: (held: boolean) => void) {
      tell = listener;
      return () => log.push('unsubscribed');
    },
    start: () => log.push('lease started'),
    stop: async () => void log.push('lease given up'),
  } as Partial<LeaseHolder> as LeaseHolder;
  let terms = 0;
  const leader = new LeaderTerms({
    lease,
    logger: silentLogger,
    make: () => {
      const term = ++terms;
      return {
        start: () => log.push(`start ${term}`),
        stop: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          log.push(`stopped ${term}`);
        },
      };
    },
  });
  leader.start();
  for (const held of [true, false, true, true]) tell(held);
  await leader.stop();
  assert.deepEqual(log, [
    'lease started',
    'unsubscribed',
    'start 1',
    'stopped 1',
    'start 2',
    'stopped 2',
    'lease given up',
  ]);
});
