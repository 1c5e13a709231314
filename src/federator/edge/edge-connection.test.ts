// docs/federation-contract.md: FC3
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Cell } from '#api/federation/cell.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { readEdgeConnection } from './edge-connection.ts';
import { CellProblem } from './edge-problem.ts';

const signal = new AbortController().signal;
const cell = (spec: Cell['spec']): Cell =>
  ({ apiVersion: 'x', kind: 'Cell', metadata: { name: 'fra-1' }, spec }) as Cell;
const read = (spec: Cell['spec'], data: { readonly [key: string]: string }) => {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: {}, data: Object.fromEntries(encoded) };
  const client: Pick<KubeClient, 'get'> = { get: async () => secret as KubeObject };
  const secretRef = { namespace: 'cells', name: 'fra-1' };
  return readEdgeConnection(client as KubeClient, cell({ ...spec, secretRef }), signal);
};
const invalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof CellProblem && error.reason === 'CredentialsInvalid' && pattern.test(error.message);
const kubeconfig = (user: object, cluster: object = {}) =>
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://edge.example:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  });

test('a token, and a kubeconfig whose server gives way to the Cell’s', async () => {
  const byToken = await read({ apiEndpoint: 'https://a.example' }, { token: 't\n' });
  assert.deepEqual([byToken.server, byToken.token], ['https://a.example', 't']);
  const own = await read({}, { kubeconfig: kubeconfig({ token: 't' }) });
  assert.deepEqual([own.server, own.token], ['https://edge.example:6443', 't']);
  const other = await read({ apiEndpoint: 'https://b.example' }, { kubeconfig: kubeconfig({ token: 't' }) });
  assert.equal(other.server, 'https://b.example');
});

test('a kubeconfig of a Secret runs no program and reads no file of the federator’s machine', async () => {
  const exec = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh' } };
  await assert.rejects(read({}, { kubeconfig: kubeconfig(exec) }), invalid(/exec plugin/));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-'));
  try {
    const file = path.join(folder, 'secret');
    await writeFile(file, 'of the machine');
    for (const user of [{ tokenFile: file }, { 'client-certificate': file, 'client-key': file }]) {
      await assert.rejects(read({}, { kubeconfig: kubeconfig(user) }), invalid(/names a file/));
    }
    const authority = kubeconfig({ token: 't' }, { 'certificate-authority': file });
    await assert.rejects(read({}, { kubeconfig: authority }), invalid(/names a file/));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what is no certificate is told before any handshake', async () => {
  const spec = { apiEndpoint: 'https://a.example' };
  await assert.rejects(read(spec, { 'tls.crt': 'x' }), invalid(/one of tls.crt and tls.key/));
  await assert.rejects(read(spec, { 'tls.crt': 'x', 'tls.key': 'y' }), invalid(/tls.crt of the Secret/));
  await assert.rejects(read(spec, { caBundle: 'x', token: 't' }), invalid(/caBundle/));
  await assert.rejects(read({}, { token: 't' }), (error) => (error as CellProblem).reason === 'NoEndpoint');
});
