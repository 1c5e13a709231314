import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { confirmEtcd } from './confirm-etcd.ts';

const confirm = (...endpoints: string[]) => confirmEtcd({ kind: 'etcd', endpoints, prefix: '/cellplane' });

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('an etcd that does not answer is told with its address and what to look at, each member with its own reason', async () => {
  // It accepts, and says nothing.
  const silent = net.createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  try {
    const { port } = silent.address() as AddressInfo;
    const closed = `http://127.0.0.1:${await closedPort()}`;
    await assert.rejects(confirm(closed, `http://127.0.0.1:${port}`), (error: Error) => {
      const { message } = error;
      assert.ok(message.includes(`${closed}: connect ECONNREFUSED`), message);
      assert.ok(message.includes(`http://127.0.0.1:${port}: no answer within 3 s`), message);
      assert.match(message, /See that it runs .* --etcd-servers/);
      return true;
    });
  } finally {
    silent.close();
  }
});

test('another store is not asked', () => confirmEtcd({ kind: 'level' }));
