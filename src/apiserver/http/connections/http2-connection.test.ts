import assert from 'node:assert/strict';
import type { ServerHttp2Session } from 'node:http2';
import { describe, test } from 'node:test';
import { Http2Connection } from './http2-connection.ts';

/** A session that notes what its client would be told; its connection's clock and timers are the test's. */
class Scene {
  nowMs = 0;
  readonly told: number[] = [];
  readonly handle: string[] = [];
  readonly ends: string[] = [];
  isDestroyed = false;
  #later: { readonly dueMs: number; readonly callback: () => void }[] = [];
  readonly connection: Http2Connection;

  constructor(streamsMax = 250) {
    const scene = this;
    const session = {
      get destroyed() {
        return scene.isDestroyed;
      },
      get closed() {
        return scene.ends.includes('close');
      },
      goaway: (code: number, lastStream: number) => this.ends.push(`goaway ${code} ${lastStream}`),
      close: () => this.ends.push('close'),
      settings: ({ maxConcurrentStreams }: { maxConcurrentStreams: number }) =>
        this.told.push(maxConcurrentStreams),
      socket: {
        _handle: { readStop: () => this.handle.push('stop'), readStart: () => this.handle.push('start') },
      },
    };
    this.connection = new Http2Connection(session as unknown as ServerHttp2Session, streamsMax, {
      now: () => this.nowMs,
      later: (callback, ms) => this.#later.push({ dueMs: this.nowMs + ms, callback }),
    });
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = this.#later.sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#later.shift();
      this.nowMs = next.dueMs;
      next.callback();
    }
    this.nowMs = endMs;
  }

  get isQuiet(): boolean {
    return this.#later.length === 0;
  }
}

describe('a connection over HTTP/2 (O2)', () => {
  test('is allowed few streams beside its watches until a second after its workspace last flooded', () => {
    const scene = new Scene();
    scene.connection.watches = 3;
    scene.connection.narrow();
    assert.deepEqual(scene.told, [11]);
    scene.connection.watches = 5;
    scene.connection.narrow();
    assert.deepEqual(scene.told, [11], 'not at every request');
    scene.pass(900);
    scene.connection.narrow();
    scene.pass(100);
    assert.deepEqual(scene.told, [11, 13]);
    scene.pass(2_000);
    assert.deepEqual(scene.told, [11, 13, 250]);
    assert.ok(scene.isQuiet);
    scene.connection.narrow();
    assert.equal(scene.told.at(-1), 13);
  });

  test('is told nothing when it has few streams anyway, or is gone', () => {
    const few = new Scene(8);
    few.connection.narrow();
    few.pass(3_000);
    assert.deepEqual(few.told, []);
    const gone = new Scene();
    gone.connection.narrow();
    gone.isDestroyed = true;
    gone.connection.pause();
    gone.connection.resume();
    gone.pass(3_000);
    assert.deepEqual([gone.told, gone.handle, gone.isQuiet], [[8], [], true]);
  });

  test('is left unread and read again', () => {
    const { connection, handle } = new Scene();
    connection.pause();
    connection.resume();
    assert.deepEqual(handle, ['stop', 'start']);
  });

  test('is ended in good order, and by force where its client does not listen', () => {
    const scene = new Scene();
    scene.connection.giveNotice();
    scene.connection.giveNotice();
    scene.pass(999);
    scene.connection.giveNotice();
    assert.deepEqual(scene.ends, ['goaway 0 2147483647']);
    scene.pass(1);
    scene.connection.giveNotice();
    scene.connection.giveNotice();
    assert.deepEqual(scene.ends, ['goaway 0 2147483647', 'close']);
  });

  test('is its workspace alone’s unless others ask over it as well', () => {
    const { connection } = new Scene();
    const share = (keys: readonly string[], rounds: number): boolean[] => {
      const answers: boolean[] = [];
      for (let i = 0; i < rounds; i++) for (const key of keys) answers.push(connection.isOnlyFor(key));
      return answers.slice(-keys.length);
    };
    assert.deepEqual(share(['a'], 100), [true]);
    assert.deepEqual(share(['a', 'b'], 100), [false, false], 'a proxy');
    assert.deepEqual(share(['b'], 200), [true], 'it is the other one’s now');
    const decoys = [...Array.from({ length: 20 }, () => 'b'), 'c'];
    assert.ok(share(decoys, 20).slice(0, 20).every(Boolean), 'a request here and there hides no flood');
  });
});
