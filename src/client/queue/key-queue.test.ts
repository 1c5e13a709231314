import { after } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { silentLogger } from '../logger.ts';
import { WorkQueue } from '../workqueue.ts';
import { BullQueue } from './bull-queue.ts';
import { openRedis } from './redis-connections.ts';
import { keyQueueSuite } from './testing/key-queue-suite.ts';
import { RedisServer, redisMissing } from './testing/redis-server.ts';

const backoff = { backoffMinMs: 10, backoffMaxMs: 80 };

keyQueueSuite('memory', async () => {
  const queue = new WorkQueue({ clock: systemClock, ...backoff });
  return { queue, close: async () => queue.close() };
});

let server: Promise<RedisServer> | undefined;
let made = 0;

after(async () => (await server)?.stop());

keyQueueSuite(
  'Redis',
  async () => {
    server ??= RedisServer.start();
    const connections = await openRedis({ url: (await server).url }, silentLogger);
    await connections.prompt.connect();
    const bullmq = await import('bullmq');
    const queue = new BullQueue({ clock: systemClock, logger: silentLogger, laneOf: () => 0, ...backoff });
    queue.open(0, { ...connections, bullmq, prefix: `test:{${made++}}` });
    return {
      queue,
      async close() {
        queue.close();
        await queue.release(0, false);
        connections.close();
      },
    };
  },
  { skip: redisMissing },
);
