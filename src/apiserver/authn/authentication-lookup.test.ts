// Keeping up with the authorities of the API server in front (KUBERNETES.md O1, U1).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient, WatchEvent, WatchOptions } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { followAuthentication } from './authentication-lookup.ts';

const configMap = (authority: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'extension-apiserver-authentication', resourceVersion: '7' },
  data: { 'client-ca-file': authority },
});

/** Reads, then a watch that tells what is given, one after the other, until `end`. */
function server() {
  const state = { current: configMap('one'), isAway: false, mayWatch: true, opened: 0, closed: 0 };
  let told: ((event: WatchEvent | undefined) => void) | undefined;
  const open = async (): Promise<KubeClient> => {
    state.opened++;
    const client: Pick<KubeClient, 'get' | 'watch' | 'close'> = {
      get: async () => {
        if (state.isAway) throw new ApiError('ServiceUnavailable', 'cannot reach it');
        return state.current;
      },
      async *watch(_, options: WatchOptions = {}) {
        if (!state.mayWatch) throw new ApiError('Forbidden', 'configmaps is forbidden');
        assert.equal(options.resourceVersion, '7');
        assert.equal(options.fieldSelector, 'metadata.name=extension-apiserver-authentication');
        for (;;) {
          const event = await new Promise<WatchEvent | undefined>((resolve) => {
            told = resolve;
            options.signal?.addEventListener('abort', () => resolve(undefined));
          });
          if (event === undefined) return;
          yield event;
        }
      },
      close: async () => void state.closed++,
    };
    return client as KubeClient;
  };
  return {
    state,
    open,
    get isWatched() {
      return told !== undefined;
    },
    tell: (event: WatchEvent | undefined) => {
      const tell = told;
      told = undefined;
      tell?.(event);
    },
  };
}

/** Lets everything that can go on go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('what changes is used at once, and nothing twice', async () => {
  const clock = new ManualClock();
  const host = server();
  const used: (string | undefined)[] = [];
  const stop = followAuthentication({
    open: host.open,
    known: { clientCaPem: 'one', requestHeader: undefined },
    use: ({ clientCaPem }) => used.push(clientCaPem),
    clock,
    logger: silentLogger,
  });
  clock.advance(0);
  await settled();
  assert.ok(host.isWatched);
  assert.deepEqual(used, []);
  host.tell({ type: 'MODIFIED', object: configMap('two') });
  await settled();
  host.tell({ type: 'MODIFIED', object: configMap('two') });
  await settled();
  assert.deepEqual(used, ['two']);
  // A watch that ends is begun again, from what is there then.
  host.state.current = configMap('three');
  host.tell(undefined);
  await settled();
  clock.advance(1_000);
  await settled();
  assert.deepEqual(used, ['two', 'three']);
  assert.ok(host.isWatched);
  stop();
  await settled();
  assert.equal(host.state.closed, host.state.opened);
});

test('where it may not be watched it is read again, each minute in the end', async () => {
  const clock = new ManualClock();
  const host = server();
  host.state.mayWatch = false;
  const stop = followAuthentication({
    open: host.open,
    known: { clientCaPem: 'one', requestHeader: undefined },
    use: () => {},
    clock,
    logger: silentLogger,
  });
  for (let second = 0; second < 600; second++) {
    clock.advance(1_000);
    await settled();
  }
  assert.ok(host.state.opened >= 12 && host.state.opened <= 16, String(host.state.opened));
  stop();
});

test('while it cannot be read it is tried every few seconds', async () => {
  const clock = new ManualClock();
  const host = server();
  host.state.isAway = true;
  const used: (string | undefined)[] = [];
  const stop = followAuthentication({
    open: host.open,
    known: { clientCaPem: 'one', requestHeader: undefined },
    use: ({ clientCaPem }) => used.push(clientCaPem),
    clock,
    logger: silentLogger,
  });
  for (let second = 0; second < 300; second++) {
    clock.advance(1_000);
    await settled();
  }
  host.state.isAway = false;
  host.state.current = configMap('two');
  clock.advance(5_000);
  await settled();
  assert.deepEqual(used, ['two']);
  stop();
});
