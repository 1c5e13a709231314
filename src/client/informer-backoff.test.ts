import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { Informer } from './informer.ts';
import { silentLogger } from './logger.ts';
import { ScriptedClient } from './testing/scripted-client.ts';

const refused = { type: 'FAIL', error: new ApiError('ServiceUnavailable', 'refused') } as const;
const expired = { type: 'FAIL', error: new ApiError('Expired', 'too old') } as const;
const pods = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'pods' } };

/** An informer that watches, and waits 100 ms to 10 s, a quarter more at most, after a failure. */
async function watching() {
  const server = new ScriptedClient();
  const clock = new ManualClock();
  const informer = new Informer({
    client: server.client,
    clock,
    logger: silentLogger,
    collection: pods,
    retryMinMs: 100,
  });
  informer.start();
  await informer.synced;
  const pass = (ms: number) => clock.advanceAsync(ms, 25);
  /** The server refuses to be connected with until the next attempt would be 10 s away. */
  const isAway = async () => {
    for (let times = 0; times < 8; times++) {
      server.push(refused);
      await pass(15_000);
    }
  };
  await pass(1);
  return { server, informer, pass, isAway };
}

test('who is told to list after a server was away lists at once', async () => {
  const { server, informer, pass, isAway } = await watching();
  await isAway();
  const lists = server.lists.length;
  // The last attempt of those reached it.
  server.push(expired);
  await pass(200);
  assert.equal(server.lists.length, lists + 1);
  await informer.stop();
});

test('who is told so each time waits longer and longer', async () => {
  const { server, informer, pass } = await watching();
  for (let times = 0; times < 100; times++) server.push(expired);
  await pass(60_000);
  // 0.1, 0.2, … 6.4, 10, 10, …: twelve in a minute, a few more by chance.
  assert.ok(server.lists.length <= 20, `${server.lists.length} lists`);
  assert.ok(server.lists.length >= 8, `${server.lists.length} lists`);
  await informer.stop();
});

test('a watch that went well for long is resumed at once when it breaks, whatever failed before it', async () => {
  const { server, informer, pass, isAway } = await watching();
  await isAway();
  await pass(60_000);
  const watches = server.watches.length;
  server.push(refused);
  await pass(200);
  assert.equal(server.watches.length, watches + 1);
  await informer.stop();
});

test('one that breaks each time waits longer and longer', async () => {
  const { server, informer, pass } = await watching();
  for (let times = 0; times < 100; times++) server.push(refused);
  await pass(60_000);
  assert.ok(server.watches.length <= 20, `${server.watches.length} watches`);
  await informer.stop();
});
