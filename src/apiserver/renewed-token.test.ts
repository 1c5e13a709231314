import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import { RenewedToken } from './renewed-token.ts';

test('a token in a file is read again once a minute, and kept while the file is away', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-token-'));
  try {
    await writeFile(path.join(folder, 'token'), 'one\n');
    await writeFile(
      path.join(folder, 'kubeconfig'),
      `current-context: x
contexts: [{name: x, context: {cluster: x, user: x}}]
clusters: [{name: x, cluster: {server: 'https://192.0.2.1'}}]
users: [{name: x, user: {tokenFile: token}}]
`,
    );
    let now = 0;
    const token = new RenewedToken(await loadKubeconfig(path.join(folder, 'kubeconfig')), () => now);
    await writeFile(path.join(folder, 'token'), 'two\n');
    assert.equal(await token.get(), 'one');
    now = 61_000;
    assert.equal(await token.get(), 'two');
    await rm(path.join(folder, 'token'));
    now = 122_000;
    assert.equal(await token.get(), 'two');
    assert.equal(await new RenewedToken({ server: 'https://192.0.2.1' }).get(), undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
});
