import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { type GatedConnection, ReadGate, type ReadGateLimits } from './read-gate.ts';

/** A gate whose turns and clock are the test's. */
class Scene {
  nowMs = 0;
  isClosed = false;
  #next: (() => void)[] = [];
  #later: { readonly dueMs: number; readonly callback: () => void }[] = [];
  readonly gate: ReadGate;

  constructor(limits: Partial<ReadGateLimits> = {}) {
    this.gate = new ReadGate({
      limits,
      isClosed: () => this.isClosed,
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

  test('are not read while others come first, and at once when they no longer do', () => {
    const scene = new Scene({ perTurn: 2, restMs: 1 });
    const sockets = connections(5);
    for (const socket of sockets) scene.gate.hold(socket, 'a');
    scene.turn();
    assert.deepEqual(read(sockets), [0, 1]);
    scene.isClosed = true;
    scene.gate.came(sockets[0]!);
    scene.turn();
    assert.deepEqual(read(sockets), [0], 'nothing had come on 1');
    scene.turn();
    scene.pass(1);
    scene.turn();
    assert.deepEqual(read(sockets), [0]);
    scene.isClosed = false;
    scene.gate.look();
    scene.turn();
    assert.deepEqual(read(sockets), [0, 2, 3]);
    // The rest that was cut short is no look of its own.
    scene.gate.came(sockets[2]!);
    scene.gate.came(sockets[3]!);
    scene.pass(1);
    assert.deepEqual(read(sockets), [0, 2, 3]);
    scene.gate.look();
    scene.turn();
    assert.deepEqual(read(sockets), [0, 1, 2, 3, 4]);
  });

  test('are read after their time whatever comes first', () => {
    const scene = new Scene({ perTurn: 2, heldMs: 10 });
    scene.isClosed = true;
    const sockets = connections(3);
    for (const [index, socket] of sockets.entries()) scene.gate.hold(socket, String(index % 2));
    scene.turn();
    scene.pass(9);
    assert.deepEqual(read(sockets), []);
    scene.pass(1);
    assert.deepEqual(read(sockets), [0, 1]);
    scene.pass(1);
    scene.turn();
    assert.deepEqual(read(sockets), [0, 1, 2]);
    assert.equal(scene.gate.size, 0);
  });

  test('count for as many requests as came at their last look', () => {
    const scene = new Scene({ perTurn: 4 });
    const [many, ...others] = connections(4);
    const hold = () => {
      for (const socket of [many!, ...others]) scene.gate.hold(socket, 'a');
    };
    hold();
    scene.turn();
    assert.deepEqual(read([many!, ...others]), [0, 1, 2, 3]);
    for (let i = 0; i < 3; i++) scene.gate.came(many!);
    for (const socket of others) scene.gate.came(socket);
    hold();
    scene.turn();
    assert.deepEqual(read([many!, ...others]), [0, 1]);
    scene.gate.came(many!);
    scene.gate.came(others[0]!);
    scene.turn();
    assert.deepEqual(read([many!, ...others]), [0, 1, 2, 3]);
  });

  test('that are read again after each write are paused once what was written has left', () => {
    const scene = new Scene({ perTurn: 2 });
    let isRead = true;
    const connection: GatedConnection = {
      isReadAfterWrites: true,
      destroyed: false,
      pause: () => {
        isRead = false;
      },
      resume: () => {
        isRead = true;
      },
    };
    scene.gate.hold(connection, 'a', 200);
    for (let turn = 0; turn < 2; turn++) {
      isRead = true;
      scene.turn();
      assert.equal(isRead, false);
    }
    assert.ok(!scene.isQuiet, 'parked');
    isRead = true;
    scene.turn();
    assert.equal(isRead, true, 'not for good');
    // What is read then shows that it is.
    scene.gate.came(connection);
    scene.turn();
    assert.equal(isRead, false);
    scene.gate.hold(connection, 'a');
    isRead = true;
    scene.turn();
    assert.equal(isRead, false);
    scene.turn();
    scene.pass(200);
    scene.turn();
    assert.equal(isRead, true, 'its turn');
    scene.gate.came(connection);
    for (let turn = 0; turn < 3; turn++) scene.turn();
    assert.equal(isRead, true);
    assert.equal(scene.gate.size, 0);
    assert.ok(scene.isQuiet);
  });
});
