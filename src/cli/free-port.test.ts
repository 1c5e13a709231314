import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { test } from 'node:test';
import { freePort } from './free-port.ts';
import { UsageError } from './run-command.ts';

async function listening(port: number): Promise<net.Server> {
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a port for 0 is another each time, and none that the kernel gives to a connection meanwhile', async () => {
  const ports = [];
  for (let count = 0; count < 20; count++) ports.push(await freePort('127.0.0.1', 0, 'a test'));
  assert.equal(new Set(ports).size, ports.length);
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768');
  const ephemeral = Number.parseInt(range, 10);
  // As on the machines that this is for; elsewhere the kernel chooses.
  if (ephemeral > 10_000)
    assert.ok(
      ports.every((port) => port < ephemeral),
      `${ports} below ${ephemeral}`,
    );
});

test('one on which something listens is passed over for 0, and told when it is wanted', async () => {
  const next = (await freePort('127.0.0.1', 0, 'a test')) + 1;
  const taken = await listening(next).catch(() => undefined); // something else listens there already
  try {
    assert.notEqual(await freePort('127.0.0.1', 0, 'a test'), next);
    await assert.rejects(freePort('127.0.0.1', next, 'the API server'), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /port \d+ on 127\.0\.0\.1 is taken \(the API server wants it\)/);
      return true;
    });
  } finally {
    taken?.close();
  }
});
