import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { batchAnswerLine, batchItemsOf } from '#api/federation/batch.ts';
import { until } from '#test/harness/until.ts';
import { OpenCalls } from '../open-calls.ts';
import { Batcher, type BatchLimits } from './batcher.ts';

const neverMs = 1e8;

/** A server that answers when it is told to, and the calls that were made of it. */
class Scene {
  nowMs = 0;
  readonly sent: { readonly items: number; readonly handler: Dispatcher.DispatchHandler }[] = [];
  readonly #batcher: Batcher;
  readonly #calls = new OpenCalls();
  readonly #made: Promise<unknown>[] = [];

  constructor(limits: Partial<BatchLimits>) {
    const dispatcher = {
      dispatch: ({ body }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean => {
        this.sent.push({ items: batchItemsOf(Buffer.from(String(body))).length, handler });
        handler.onRequestStart?.(controller, {});
        handler.onResponseStart?.(controller, 200, {});
        return true;
      },
    };
    this.#batcher = new Batcher({
      dispatcher: dispatcher as unknown as Dispatcher,
      path: '/batch/v1',
      alone: () => assert.fail('nothing is sent by itself here'),
      headers: {},
      limits,
      now: () => this.nowMs,
    });
  }

  /** Calls made in one turn; the batcher has had its own when it resolves. */
  async make(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const request = { method: 'GET', path: '/a', accept: undefined, contentType: undefined } as const;
      this.#made.push(this.#batcher.send({ ...request, body: undefined }, this.#calls.begin(undefined)));
    }
    await nextTurn();
    await nextTurn();
  }

  /** The first items of what was sent as the `which`th. */
  answer(which: number, from: number, to: number): void {
    const { handler } = this.sent[which]!;
    for (let item = from; item < to; item++) {
      handler.onResponseData?.(controller, Buffer.from(batchAnswerLine(item, 200, undefined, 0)));
    }
  }

  async end(): Promise<void> {
    for (const [which, { items }] of this.sent.entries()) this.answer(which, 0, items);
    await Promise.all(this.#made);
  }
}

const controller = { abort: () => {} } as unknown as Dispatcher.DispatchController;

describe('how long a batch keeps others waiting', () => {
  it('as long as the server took of late, until half of it is answered', async () => {
    const scene = new Scene({ youngMs: 1, youngMsMax: neverMs });
    await scene.make(4);
    scene.nowMs = neverMs;
    scene.answer(0, 0, 4);
    await scene.make(4);
    await scene.make(4);
    assert.equal(scene.sent.length, 3);
    await scene.make(3);
    await scene.make(3);
    // Far longer than a batch is young at least.
    await wait(50);
    assert.equal(scene.sent.length, 3);
    scene.answer(1, 0, 1);
    await nextTurn();
    assert.equal(scene.sent.length, 3);
    scene.answer(1, 1, 2);
    await until('what waited goes', () => scene.sent.length === 4);
    assert.equal(scene.sent[3]?.items, 6);
    await scene.end();
  });

  it('no longer than the most', async () => {
    const scene = new Scene({ youngMs: 1, youngMsMax: 2 });
    await scene.make(2);
    scene.nowMs = neverMs;
    scene.answer(0, 0, 2);
    await scene.make(2);
    await scene.make(2);
    await scene.make(2);
    await until('what waited goes', () => scene.sent.length === 4);
    await scene.end();
  });

  it('a server that has become quick again is no longer waited for', async () => {
    const scene = new Scene({ youngMs: 1, youngMsMax: neverMs });
    await scene.make(2);
    scene.nowMs = 1_000;
    scene.answer(0, 0, 2);
    for (let which = 1; which <= 40; which++) {
      await scene.make(2);
      scene.answer(which, 0, 2);
    }
    await scene.make(2);
    await scene.make(2);
    await scene.make(2);
    await until('what waited goes', () => scene.sent.length === 44);
    await scene.end();
  });
});
