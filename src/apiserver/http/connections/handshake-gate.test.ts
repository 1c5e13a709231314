import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { HandshakeGate, type HandshakeGateOptions } from './handshake-gate.ts';

describe('handshakes', () => {
  const begun: Socket[] = [];
  const accepted: Socket[] = [];
  const clients: Socket[] = [];
  let turns: (() => void)[] = [];
  let server = net.createServer();

  async function listen(options: HandshakeGateOptions = {}): Promise<void> {
    const nextTurn = (callback: () => void) => turns.push(callback);
    const gate = new HandshakeGate((socket) => begun.push(socket), { nextTurn, ...options });
    server = net.createServer((socket) => {
      accepted.push(socket);
      gate.enter(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }

  async function connect(): Promise<Socket> {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
    clients.push(client);
    const count = accepted.length;
    await once(client, 'connect');
    await until('it is accepted', () => accepted.length > count);
    return client;
  }

  /** One turn of the event loop, as the gate sees it. */
  function turn(): void {
    for (const callback of turns.splice(0)) callback();
  }

  /** Connects, and says something that the server has read, once for each. */
  async function speak(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const client = await connect();
      const socket = accepted.at(-1);
      client.write('hello');
      await until('it is read', () => (socket?.readableLength ?? 0) > 0);
    }
    // 'readable' is told in a tick of its own.
    await new Promise((resolve) => setImmediate(resolve));
  }

  afterEach(async () => {
    for (const socket of [...clients.splice(0), ...accepted.splice(0)]) socket.destroy();
    server.close();
    begun.length = 0;
    turns = [];
  });

  it('begin some in a turn, in the order in which they spoke, with what was read kept', async () => {
    await listen();
    await speak(5);
    assert.equal(begun.length, 2);
    turn();
    assert.equal(begun.length, 4);
    turn();
    assert.equal(begun.length, 5);
    assert.deepEqual(begun, accepted);
    for (const socket of begun) assert.equal(String(socket.read()), 'hello');
    turn();
    turn();
    assert.equal(turns.length, 0, 'nothing runs while nothing waits');
    await speak(1);
    assert.equal(begun.length, 6, 'one that is alone does not wait');
  });

  it('do not wait for those who are silent, or have gone', async () => {
    await listen();
    await connect();
    await speak(2);
    assert.equal(begun.length, 2);
    await speak(3);
    accepted.at(-3)?.destroy();
    turn();
    assert.deepEqual(begun, [accepted[1], accepted[2], accepted[4], accepted[5]]);
  });

  it('never begin where nothing comes: such connections are closed', async () => {
    await listen({ silentMs: 20 });
    await connect();
    await until('the silent one is closed', () => accepted[0]?.destroyed);
    const gone = await connect();
    gone.end();
    await until('the server has closed it', () => accepted[1]?.destroyed);
    assert.equal(begun.length, 0);
  });
});
