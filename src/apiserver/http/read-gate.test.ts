import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { ReadGate, type ReadGateLimits } from './read-gate.ts';

/** A gate whose turns and clock are the test's. */
class Scene {
  nowMs = 0;
  #next: (() => void)[] = [];
  #later: { readonly dueMs: number; readonly callback: () => void }[] = [];
  readonly gate: ReadGate;

  constructor(limits: Partial<ReadGateLimits> = {}) {
    this.gate = new ReadGate({
      limits,
      now: () => this.nowMs,
      nextTurn: (callback) => this.#next.push(callback),
      later: (callback, ms) => this.#later.push({ dueMs: this.nowMs + ms, callback }),
    });
  }

  turn(): void {
    for (const callback of this.#next.splice(0)) callback();
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#later.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.#later = this.#later.filter(({ dueMs }) => dueMs > this.nowMs);
    for (const { callback } of due) callback();
  }

  /** Whether anything would still happen. */
  get isQuiet(): boolean {
    return this.#next.length + this.#later.length === 0;
  }
}

function connections(count: number): Duplex[] {
  return Array.from({ length: count }, () => new Duplex({ read() {}, write() {} }));
}

const read = (sockets: readonly Duplex[]): number[] =>
  sockets.flatMap((socket, index) => (socket.isPaused() ? [] : [index]));

describe('connections of who keeps the thread busy (O2)', () => {
  test('are read some in a turn, in order; what came on them is not looked at again', () => {
    const scene = new Scene({ perTurn: 2 });
    const sockets = connections(5);
    for (const socket of sockets) scene.gate.hold(socket, 'a');
    assert.deepEqual(read(sockets), []);
    assert.equal(scene.gate.waiting('a'), 5);
    scene.turn();
    assert.deepEqual(read(sockets), [0, 1]);
    scene.gate.came(sockets[0]!);
    scene.gate.came(sockets[1]!);
    scene.turn();
    assert.deepEqual(read(sockets), [0, 1, 2, 3]);
    scene.gate.came(sockets[3]!);
    // Nothing came on 2.
    scene.turn();
    assert.deepEqual(
      read(sockets),
      [0, 1, 2, 3, 4]
        .filter((index) => index !== 2)
        .concat(2)
        .sort(),
    );
    assert.equal(scene.gate.waiting('a'), 0);
  });

  test('of several workspaces are read in turns', () => {
    const scene = new Scene({ perTurn: 2 });
    const many = connections(50);
    const few = connections(2);
    for (const socket of many) scene.gate.hold(socket, 'many');
    for (const socket of few) scene.gate.hold(socket, 'few');
    scene.turn();
    assert.deepEqual([read(many), read(few)], [[0], [0]]);
    scene.gate.came(many[0]!);
    scene.gate.came(few[0]!);
    scene.turn();
    assert.deepEqual(
      [read(many), read(few)],
      [
        [0, 1],
        [0, 1],
      ],
    );
    assert.equal(scene.gate.waiting('few'), 0);
  });

  test('on which nothing comes are looked at with a rest between, and then read like any other', () => {
    const scene = new Scene({ perTurn: 2, restMs: 1, heldMs: 10 });
    const sockets = connections(6);
    for (const socket of sockets) scene.gate.hold(socket, 'a');
    scene.turn();
    scene.turn();
    assert.deepEqual(read(sockets), [2, 3], 'the first have gone to the end');
    scene.turn();
    assert.deepEqual(read(sockets), [2, 3], 'it rests');
    scene.pass(1);
    assert.deepEqual(read(sockets), [4, 5]);
    for (let i = 0; i < 20; i++) {
      scene.pass(1);
      scene.turn();
    }
    assert.deepEqual(read(sockets), [0, 1, 2, 3, 4, 5]);
    assert.equal(scene.gate.size, 0);
    assert.ok(scene.isQuiet);
  });

  test('that were refused wait for their time first', () => {
    const scene = new Scene({ perTurn: 2 });
    const [refused, other] = connections(2);
    scene.gate.hold(refused!, 'a', 200);
    // A second request that came with the first does not shorten it.
    scene.gate.hold(refused!, 'a');
    scene.gate.hold(other!, 'a');
    scene.turn();
    assert.deepEqual(read([refused!, other!]), [1]);
    scene.gate.came(other!);
    scene.pass(199);
    scene.turn();
    assert.ok(refused!.isPaused());
    scene.pass(1);
    scene.turn();
    assert.ok(!refused!.isPaused());
  });

  test('that are gone are forgotten', () => {
    const scene = new Scene({ perTurn: 2 });
    const sockets = connections(4);
    for (const socket of sockets) scene.gate.hold(socket, 'a');
    scene.turn();
    sockets[0]!.destroy();
    sockets[2]!.destroy();
    sockets[3]!.destroy();
    scene.gate.hold(sockets[3]!, 'a');
    scene.turn();
    scene.gate.came(sockets[1]!);
    scene.turn();
    scene.pass(1);
    scene.gate.came(sockets[1]!);
    scene.turn();
    assert.equal(scene.gate.size, 0);
    assert.ok(scene.isQuiet);
  });
});
