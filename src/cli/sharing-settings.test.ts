import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { ensurePki, issueClientCertificate } from '#apiserver/pki/pki.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { RedisServer, redisMissing } from '#client/queue/testing/redis-server.ts';
import { type SharingSettings, sharingOf } from './sharing-settings.ts';

// With Redis no Lease is held, so nothing is asked of the API server.
const context = { client: {} as KubeClient, clock: systemClock, logger: silentLogger };
const defaults = { redisPrefix: 'test', leaderElect: true };

/** Whether a scheduler with these settings takes up work within the time. */
async function takesUpWork(settings: Partial<SharingSettings>, withinMs: number): Promise<boolean> {
  const sharing = (await sharingOf({ ...defaults, ...settings }, context))();
  const queue = sharing.queue((key) => key);
  try {
    return await new Promise<boolean>((resolve) => {
      const late = setTimeout(() => resolve(false), withinMs);
      sharing.start('control-plane', {
        gained: () => {
          clearTimeout(late);
          resolve(true);
        },
        lost: () => {},
      });
    });
  } finally {
    queue.close();
    await sharing.stop();
  }
}

test('flags that do not go together are refused with their names', async () => {
  const rows: readonly [Partial<SharingSettings>, RegExp][] = [
    [{ redisCa: 'ca.pem' }, /^--redis-ca needs --redis$/],
    [{ redisKey: 'key.pem' }, /^--redis-key needs --redis$/],
    [{ redis: 'rediss://h', redisCert: import.meta.filename }, /^--redis-cert and --redis-key go together$/],
    [{ redis: 'redis://h', redisCa: import.meta.filename }, /^--redis-ca needs a rediss:\/\/ URL$/],
    [{ redis: 'rediss://h', redisCa: '/nowhere/ca.pem' }, /^--redis-ca \/nowhere\/ca.pem: ENOENT/],
  ];
  for (const [settings, message] of rows) {
    await assert.rejects(sharingOf({ ...defaults, ...settings }, context), { message });
  }
});

describe('Redis over TLS, with certificates and a user', { skip: redisMissing ?? false }, () => {
  let directory: string;
  let redis: RedisServer;
  let url: string;
  let credentials: Partial<SharingSettings>;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'cellplane-redis-tls-'));
    const pki = await ensurePki({
      directory: path.join(directory, 'pki'),
      hosts: ['127.0.0.1'],
      now: new Date(),
    });
    const ours = issueClientCertificate(pki.ca, { commonName: 'scheduler', organizations: [], days: 1 });
    const file = async (name: string, content: string) => {
      const where = path.join(directory, name);
      await writeFile(where, content, { mode: 0o600 });
      return where;
    };
    const ca = await file('ca.pem', pki.ca.certificatePem);
    redis = await RedisServer.startTls([
      ...['--tls-ca-cert-file', ca],
      ...['--tls-cert-file', await file('server.pem', pki.serving.certificatePem)],
      ...['--tls-key-file', await file('server.key', pki.serving.keyPem)],
      ...['--user', 'default', 'off'],
      ...['--user', 'scheduler', 'on', '>p@ss word', '~*', '&*', '+@all'],
    ]);
    url = `rediss://scheduler@127.0.0.1:${redis.port}/3`;
    credentials = {
      redisCa: ca,
      redisCert: await file('client.pem', ours.certificatePem),
      redisKey: await file('client.key', ours.keyPem),
      redisPasswordFile: await file('password', 'p@ss word\n'),
    };
  });
  after(async () => {
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test('with all of them work is taken up', async () => {
    assert.equal(await takesUpWork({ redis: url, ...credentials }, 120_000), true);
    const { redisPasswordFile: _, ...certificates } = credentials;
    const withPassword = url.replace('scheduler@', 'scheduler:p%40ss%20word@');
    assert.equal(await takesUpWork({ redis: withPassword, ...certificates }, 120_000), true);
  });

  test('without the CA, the certificate or the password nothing is', async () => {
    const { redisCa: _ca, ...noCa } = credentials;
    const { redisCert: _cert, redisKey: _key, ...noCertificate } = credentials;
    const { redisPasswordFile: _password, ...noPassword } = credentials;
    for (const settings of [noCa, noCertificate, noPassword]) {
      assert.equal(await takesUpWork({ redis: url, ...settings }, 500), false);
    }
  });
});
