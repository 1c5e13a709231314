import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { CallOptions, KubeClient, WatchEvent } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { Breaker } from './breaker.ts';
import { GuardedClient } from './guarded-client.ts';

const ref = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'configmaps' }, name: 'a' };
const unanswered = new ApiError('ServiceUnavailable', 'reset', { cause: new Error('ECONNRESET') });

function guard(calls: Partial<KubeClient>) {
  let unauthorized = 0;
  const breaker = new Breaker({
    clock: new ManualClock(),
    failureThreshold: 2,
    openMinMs: 100,
    openMaxMs: 100,
    onOpen: () => {},
  });
  const client = new GuardedClient({
    client: { ...new ScriptedClient().client, ...calls },
    breaker,
    timeoutMs: 1_234,
    onUnauthorized: () => unauthorized++,
  });
  return { breaker, client, unauthorized: () => unauthorized };
}

test('every call has a time limit, its own or the default', async () => {
  const seen: (number | undefined)[] = [];
  const note = async (_: unknown, options?: CallOptions) => {
    seen.push(options?.timeoutMs);
    throw new ApiError('NotFound', 'no');
  };
  const { client } = guard({ get: note, raw: note, list: note });
  await assert.rejects(client.get(ref));
  await assert.rejects(client.raw({ cluster: undefined, method: 'GET', path: '/api' }));
  await assert.rejects(client.list(ref, { timeoutMs: 5 }));
  assert.deepEqual(seen, [1_234, 1_234, 5]);
});

test('calls without an answer open the breaker; errors that are answers do not', async () => {
  let error: Error = new ApiError('Forbidden', 'no');
  const { client, breaker, unauthorized } = guard({ get: () => Promise.reject(error) });
  for (let call = 0; call < 5; call++) await assert.rejects(client.get(ref));
  assert.equal(breaker.isOpen, false);
  error = new ApiError('Unauthorized', 'who');
  await assert.rejects(client.get(ref));
  assert.equal(unauthorized(), 1);
  error = unanswered;
  for (let call = 0; call < 2; call++) await assert.rejects(client.get(ref));
  assert.equal(breaker.isOpen, true);
});

test('while it is open nothing goes out, watches neither; a call that its caller gave up counts for nothing', async () => {
  let calls = 0;
  const { client, breaker } = guard({
    get: async () => {
      calls++;
      throw unanswered;
    },
    watch: async function* () {
      calls++;
      yield* [];
    },
  });
  for (let call = 0; call < 2; call++) await assert.rejects(client.get(ref));
  assert.equal(breaker.isOpen, true);
  const stopping = new AbortController();
  const waiting = client.get(ref, { signal: stopping.signal });
  const watching = client.watch(ref, { signal: stopping.signal }).next();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 2);
  stopping.abort(new Error('stopped'));
  await assert.rejects(waiting, /stopped/);
  await assert.rejects(watching, /stopped/);
  await client.close();
  await assert.rejects(client.get(ref), /given up/);
});

test('an edge that floods its watch leaves the others their turn', async () => {
  const event: WatchEvent = { type: 'BOOKMARK', resourceVersion: '1', initialEventsEnd: false };
  let isOver = false;
  const { client } = guard({
    watch: async function* () {
      while (!isOver) yield event;
    },
  });
  // A timer that a loop of microtasks alone would starve.
  setTimeout(() => {
    isOver = true;
  }, 20);
  let count = 0;
  for await (const _ of client.watch(ref)) count++;
  assert.ok(count > 0); // it ended at all: the timer had its turn
});

test('one that retires has its answers, lets nothing further pass, and closes behind the last of them', async () => {
  const answers: (() => void)[] = [];
  let closed = 0;
  const { client } = guard({
    get: (one) =>
      new Promise((resolve) =>
        answers.push(() => resolve({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: one.name } })),
      ),
    close: async () => {
      closed++;
    },
  });
  const underWay = [client.get(ref), client.get(ref)];
  const retired = client.retire();
  await assert.rejects(client.get(ref), /given up/);
  answers[0]?.();
  await underWay[0];
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, 0, 'one is not answered yet');
  answers[1]?.();
  assert.equal((await underWay[1])?.metadata.name, ref.name);
  await retired;
  assert.equal(closed, 1);
  assert.equal(answers.length, 2);
});

test('one that retires at rest closes at once', async () => {
  let closed = 0;
  const { client } = guard({
    close: async () => {
      closed++;
    },
  });
  await client.retire();
  assert.equal(closed, 1);
});
