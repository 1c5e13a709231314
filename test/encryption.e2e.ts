// Encryption at rest in a real process (KUBERNETES.md O5): what is on disk and in backups, rotation, a lost key.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { FakeKmsPlugin } from '#apiserver/encryption/testing/fake-kms-plugin.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { kubectlFor } from './harness/kubectl.ts';
import { patient } from './harness/patient.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from './harness/processes.ts';
import { RawHttp } from './harness/raw-http.ts';
import { until } from './harness/until.ts';
import { getKubectl, kubectlPrograms } from './programs.ts';

const secrets = { group: '', version: 'v1', resource: 'secrets' } as const;
const place = { cluster: 'root', gvr: secrets, namespace: 'default' };

const key = (name: string) => `{name: ${name}, secret: ${randomBytes(32).toString('base64')}}`;
const configuration = (providers: string) => `kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: [secrets]
  providers: [${providers}]
`;

async function bytesBelow(directory: string): Promise<string> {
  let bytes = '';
  for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) bytes += await readFile(path.join(file.parentPath, file.name), 'latin1');
  }
  return bytes;
}

describe('encryption at rest (O5)', { timeout: 600_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let data: string;
  let file: string;
  let server: CellplaneProcess | undefined;
  let admin: RemoteClient;
  let raw: RawHttp;

  const start = async () => {
    server = await startCellplane([
      ...['apiserver', '--data-dir', data, '--port', '0', '--encryption-provider-config', file],
    ]);
    const connection = await adminConnection(data);
    admin = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
    raw = new RawHttp(connection);
  };
  const stop = async () => {
    const ending = server;
    server = undefined;
    await disposeAll(
      () => raw?.close(),
      () => admin?.close(),
      () => ending?.stop(),
    );
  };
  const create = (name: string, text: string) =>
    admin.create(place, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      data: { text: Buffer.from(text).toString('base64') },
    });
  const [first, second] = [key('first'), key('second')];
  const needle = Buffer.from('the hidden needle').toString('base64');

  before(async () => {
    folder = await temporaryFolder();
    data = path.join(folder.path, 'data');
    file = path.join(folder.path, 'encryption.yaml');
    await writeFile(file, configuration(`{aescbc: {keys: [${first}]}}, {identity: {}}`));
    await start();
  });
  after(async () => {
    await disposeAll(stop, folder);
  });

  test('neither the store nor a backup holds a secret in the clear', async () => {
    await create('one', 'the hidden needle');
    const backup = await raw.send({ path: '/debug/cellplane/backup' });
    assert.equal(backup.status, 200);
    assert.ok(backup.text.includes('k8s:enc:aescbc:v1:first:'));
    assert.ok(!backup.text.includes(needle));
    await stop();
    const stored = await bytesBelow(path.join(data, 'store'));
    assert.ok(stored.includes('k8s:enc:aescbc:v1:first:'));
    assert.ok(!stored.includes(needle));
    await start();
    const found = (await admin.get({ ...place, name: 'one' })) as KubeObject & { data: { text: string } };
    assert.equal(found.data.text, needle);
  });

  test('a key that comes first while the server runs seals what is written, also what does not change', async () => {
    const before = await admin.get({ ...place, name: 'one' });
    const unchanged = await admin.update({ ...place, name: 'one' }, before);
    assert.equal(unchanged.metadata.resourceVersion, before.metadata.resourceVersion);
    await writeFile(
      file,
      configuration(`{secretbox: {keys: [${second}]}}, {aescbc: {keys: [${first}]}}, {identity: {}}`),
    );
    await until(
      'the configuration is taken',
      () => server?.output().includes('another encryption configuration'),
      { everyMs: 100 },
    );
    const rewritten = await admin.update({ ...place, name: 'one' }, before);
    assert.notEqual(rewritten.metadata.resourceVersion, before.metadata.resourceVersion);
    const again = await admin.update({ ...place, name: 'one' }, rewritten);
    assert.equal(again.metadata.resourceVersion, rewritten.metadata.resourceVersion);
    await create('two', 'two');
  });

  test('without its key an object cannot be read, says why, and harms nothing else', async () => {
    await writeFile(file, configuration(`{aescbc: {keys: [${first}]}}, {identity: {}}`));
    const get = () => raw.send({ path: '/clusters/root/api/v1/namespaces/default/secrets/one' });
    await until('the key is missed while the server runs', async () => (await get()).status === 500, {
      everyMs: 100,
    });
    await stop();
    await start();
    await create('three', 'three');
    const lost = await get();
    assert.equal(lost.status, 500);
    assert.match(
      lost.text,
      /secrets \\"one\\" in namespace \\"default\\" cannot be read.*secretbox:v1:second:/,
    );
    assert.equal((await admin.get({ ...place, name: 'three' })).metadata.name, 'three');
    const list = await raw.send({ path: '/clusters/root/api/v1/namespaces/default/secrets' });
    assert.equal(list.status, 500);
    assert.match(list.text, /cannot be read/);
    const elsewhere = await raw.send({ path: '/clusters/root/api/v1/namespaces/kube-system/secrets' });
    assert.equal(elsewhere.status, 200);
    assert.equal((await raw.send({ path: '/readyz' })).status, 200);
    await writeFile(
      file,
      configuration(`{aescbc: {keys: [${first}]}}, {secretbox: {keys: [${second}]}}, {identity: {}}`),
    );
    await until('the key is back', async () => (await get()).status === 200, { everyMs: 100 });
    assert.equal((await admin.list(place)).items.length, 3);
  });
});

describe('encryption at rest by a KMS plugin (O5)', { timeout: 600_000 }, () => {
  const program = kubectlPrograms().at(-1)?.file;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let data: string;
  let plugin: FakeKmsPlugin;
  let server: CellplaneProcess | undefined;
  let raw: RawHttp;

  const start = async () => {
    server = await startCellplane([
      ...['apiserver', '--data-dir', data, '--port', '0'],
      ...['--encryption-provider-config', path.join(folder.path, 'encryption.yaml')],
    ]);
    raw = new RawHttp(await adminConnection(data));
  };
  const stop = async () => {
    raw?.close();
    await server?.stop();
    server = undefined;
  };
  before(async () => {
    folder = await temporaryFolder();
    data = path.join(folder.path, 'data');
    plugin = new FakeKmsPlugin(path.join(folder.path, 'kms.sock'));
    const kms = `{kms: {apiVersion: v2, name: vault, endpoint: "unix://${plugin.socketPath}", timeout: 60s}}`;
    await writeFile(path.join(folder.path, 'encryption.yaml'), configuration(`${kms}, {identity: {}}`));
  });
  after(async () => {
    await disposeAll(stop, () => plugin?.stop(), folder);
  });

  test('kubectl writes and reads what the store holds sealed, also after a start and under another key', {
    skip: program === undefined ? `kubectl is not installed; ${getKubectl}` : false,
  }, async () => {
    const kubectl = kubectlFor({
      program: program ?? '',
      kubeconfig: path.join(data, 'admin.kubeconfig'),
      cacheDirectory: path.join(folder.path, 'cache'),
    });
    const text = () => kubectl(['get', 'secret', 'one', '-o', 'jsonpath={.data.text}']);
    const needle = Buffer.from('the hidden needle').toString('base64');
    // The server waits for its plugin.
    await Promise.all([start(), plugin.start()]);
    await kubectl(['create', 'secret', 'generic', 'one', '--from-literal=text=the hidden needle']);
    assert.equal(await text(), needle);
    const health = await raw.send({ path: '/readyz?verbose' });
    assert.match(health.text, /\[\+\]kms-providers ok/);
    assert.equal((await raw.send({ path: '/livez/kms-providers' })).status, 404);
    await stop();
    const stored = await bytesBelow(path.join(data, 'store'));
    assert.ok(stored.includes('k8s:enc:kms:v2:vault:'));
    assert.ok(!stored.includes(needle));

    plugin.keyId = 'key-2';
    await start();
    assert.equal(await text(), needle);
    const version = () => kubectl(['get', 'secret', 'one', '-o', 'jsonpath={.metadata.resourceVersion}']);
    const old = await version();
    await kubectl(['replace', '-f', '-'], await kubectl(['get', 'secret', 'one', '-o', 'json']));
    assert.notEqual(await version(), old, 'sealed anew, with the other key');

    // The old key is gone, and nothing needs it any more.
    await stop();
    plugin.keys.delete('key-1');
    await start();
    assert.equal(await text(), needle);
    await stop();
    plugin.keys.delete('key-2');
    plugin.keyId = 'key-3';
    await start();
    const lost = await kubectl.attempt(['get', 'secret', 'one']);
    assert.match(
      lost.stderr,
      /secrets "one" .*cannot be read: k8s:enc:kms:v2:vault: failed to decrypt DEK, error: .*no key key-2/,
    );
    assert.equal((await kubectl(['get', 'configmaps', '-o', 'name'])).includes('kube-root-ca.crt'), true);
  });
});
