import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLogger } from '../logger.ts';
import { openRedis, retire } from './redis-connections.ts';
import { RedisServer, redisMissing } from './testing/redis-server.ts';

describe('connections to Redis', { skip: redisMissing ?? false }, () => {
  for (const [state, isAway] of [
    ['connected', false],
    ['between two attempts to connect', true],
  ] as const) {
    test(`one that is retired while it is ${state} ends, and so does what waits on it`, async () => {
      const redis = await RedisServer.start();
      const connections = await openRedis({ url: redis.url }, silentLogger);
      const connection = connections.patient.duplicate();
      try {
        await connection.connect();
        const waiting = assert.rejects(connection.bzpopmin('absent', 0), /Connection is closed/);
        await new Promise((resolve) => setImmediate(resolve));
        if (isAway) {
          await redis.kill();
          // The next time, as the attempts go on. Not `once`, which fails when the connection is told to be broken first.
          await new Promise((resolve) => connection.once('reconnecting', resolve));
          // As BullMQ does with a worker's own connection: ioredis forgets it.
          connection.disconnect();
        }
        const ended = new Promise((resolve) => connection.once('end', resolve));
        retire(connection);
        await Promise.all([waiting, ended]);
        await assert.rejects(connection.get('a'), /Connection is closed/);
      } finally {
        connections.close();
        await redis.stop();
      }
    });
  }
});
