import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { silentLogger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { KeyValue, Revision, StorageKey } from '#storage/storage.ts';
import { runStorageConformance } from '#storage/testing/storage-conformance.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { bodyOf } from '../registry/stored-body.ts';
import { headerOf, objectOf } from '../registry/stored-object.ts';
import { isMarkedStale } from '../registry/unreadable-value.ts';
import { EncryptedStorage } from './encrypted-storage.ts';
import { Encryption } from './encryption.ts';
import { parseEncryptionConfiguration } from './encryption-configuration.ts';
import { followEncryptionFile } from './encryption-file.ts';
import { KmsProviders } from './kms-providers.ts';
import { openSecretbox, sealSecretbox } from './secretbox.ts';

const secretDefinition = builtinDefinitions().find(
  ({ group, resource }) => group === '' && resource === 'secrets',
) as ResourceDefinition;
const secret = (text: string) =>
  encodeStored(
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', labels: { a: 'b' } }, data: { text } },
    secretDefinition,
  );
const keyOf = (resource: string, name = 's') =>
  objectKey({ group: '', resource, clusterId: 'c1', namespace: 'n', name });
const base64 = (bytes: number) => randomBytes(bytes).toString('base64');

function configuration(providers: string, resources = '[secrets]'): string {
  return `kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: ${resources}
  providers: ${providers}
`;
}
const rulesOf = (text: string) => parseEncryptionConfiguration(text).rules(new Map());
const encryption = (providers: string, resources?: string) =>
  new Encryption(rulesOf(configuration(providers, resources)));
const provider = (name: string, key: string, keyName = 'k1') =>
  `{${name}: {keys: [{name: ${keyName}, secret: ${key}}]}}`;
const entry = (value: Buffer, key: StorageKey = keyOf('secrets')): KeyValue => ({
  key,
  value,
  revision: 5 as Revision,
});

runStorageConformance(
  'encrypted',
  async () => {
    const keys = `[${provider('aesgcm', base64(32))}, {identity: {}}]`;
    const storage = new EncryptedStorage(createMemoryStorage(), encryption(keys, '["*.*"]'));
    return { storage, dispose: () => storage.close() };
  },
  { reopen: false, keepsSizes: false },
);

describe('secretbox', () => {
  // The vector of NaCl's own tests (secretbox.c).
  const key = Buffer.from('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389', 'hex');
  const nonce = Buffer.from('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37', 'hex');
  const plain = Buffer.from(
    'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
    'hex',
  );
  const sealed =
    'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5';

  it('is NaCl’s', () => {
    assert.equal(sealSecretbox(key, nonce, plain).toString('hex'), sealed);
    assert.deepEqual(openSecretbox(key, nonce, Buffer.from(sealed, 'hex')), plain);
  });

  it('opens nothing that was changed', () => {
    for (const at of [0, 15, 16, 40]) {
      const changed = Buffer.from(sealed, 'hex');
      changed[at]! ^= 1;
      assert.equal(openSecretbox(key, nonce, changed), undefined);
    }
    assert.equal(openSecretbox(key, nonce, Buffer.alloc(3)), undefined);
    const empty = sealSecretbox(key, nonce, Buffer.alloc(0));
    assert.deepEqual(openSecretbox(key, nonce, empty), Buffer.alloc(0));
  });
});

describe('encryption at rest (O5)', () => {
  for (const [name, bytes] of [
    ['aescbc', 32],
    ['aescbc', 16],
    ['aesgcm', 32],
    ['aesgcm', 24],
    ['secretbox', 32],
  ] as const) {
    it(`${name} with ${bytes} bytes seals, opens, and finds what was changed`, () => {
      const one = encryption(`[${provider(name, base64(bytes))}]`);
      const value = secret('hidden');
      const sealed = one.seal(keyOf('secrets'), value);
      assert.equal(sealed.subarray(0, 16).toString(), `k8s:enc:${name}:v1:k1:`.slice(0, 16));
      assert.equal(sealed.includes('hidden'), false);
      assert.notDeepEqual(one.seal(keyOf('secrets'), value), sealed);
      assert.deepEqual(one.open(keyOf('secrets'), sealed), value);
      assert.equal(one.seal(keyOf('configmaps'), value), value);
      const cut = one.open(keyOf('secrets'), sealed.subarray(0, 30));
      assert.throws(
        () => objectOf(entry(cut)),
        (error) => isApiError(error, 'InternalError'),
      );
    });
  }

  it('writes with the first provider, reads with all, and tells what is to be written again', () => {
    const [a, b] = [base64(32), base64(32)];
    const old = encryption(`[${provider('aescbc', a)}]`);
    const sealed = old.seal(keyOf('secrets'), secret('x'));
    const rotated = encryption(`[${provider('aesgcm', b, 'k2')}, ${provider('aescbc', a)}, {identity: {}}]`);
    const read = entry(rotated.open(keyOf('secrets'), sealed));
    assert.equal(isMarkedStale(read), true);
    assert.deepEqual(bodyOf(read), bodyOf(entry(secret('x'))));
    const clear = entry(rotated.open(keyOf('secrets'), secret('y')));
    assert.equal(isMarkedStale(clear), true);
    assert.equal(objectOf(clear)['kind'], 'Secret');
    const fresh = rotated.seal(keyOf('secrets'), secret('x'));
    assert.ok(fresh.includes('k8s:enc:aesgcm:v1:k2:'));
    assert.equal(isMarkedStale(entry(rotated.open(keyOf('secrets'), fresh))), false);
    // The identity first: decrypts as it is written anew.
    const leaving = encryption(`[{identity: {}}, ${provider('aescbc', a)}]`);
    assert.equal(leaving.seal(keyOf('secrets'), secret('x')).includes('k8s:enc'), false);
    assert.equal(isMarkedStale(entry(leaving.open(keyOf('secrets'), sealed))), true);
  });

  it('makes of what it cannot open an object that says so, and has nothing else', () => {
    const sealed = encryption(`[${provider('aesgcm', base64(32))}]`).seal(keyOf('secrets'), secret('x'));
    const rows = [
      [`[${provider('aesgcm', base64(32))}]`, sealed, /its key k8s:enc:aesgcm:v1:k1: does not fit/],
      [`[${provider('aesgcm', base64(32), 'k9')}]`, sealed, /no configured provider.*aesgcm:v1:k1:/],
      [`[${provider('aesgcm', base64(32))}]`, secret('x'), /stored in the clear/],
      ['[{identity: {}}]', sealed, /no configured provider/],
    ] as const;
    for (const [providers, stored, message] of rows) {
      const read = { ...entry(encryption(providers).open(keyOf('secrets'), stored)), memo: undefined };
      assert.deepEqual(headerOf(read).labels, {});
      for (const use of [() => objectOf(read), () => bodyOf(read)]) {
        assert.throws(
          use,
          (error) =>
            isApiError(error, 'InternalError') && message.test(error.message) && /"s"/.test(error.message),
        );
      }
    }
  });

  it('binds a value to its key where the provider can', () => {
    const one = encryption(`[${provider('aesgcm', base64(32))}]`);
    const moved = one.open(keyOf('secrets', 'other'), one.seal(keyOf('secrets'), secret('x')));
    assert.throws(() => objectOf(entry(moved)), /cannot be read/);
  });

  it('asks the first entry that names the resource', () => {
    const text = `kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: [configmaps, widgets.example.org]
  providers: [{identity: {}}]
- resources: ['*.apps']
  providers: [${provider('secretbox', base64(32), 'apps')}]
- resources: ['*.*']
  providers: [${provider('aesgcm', base64(32), 'rest')}]
`;
    const one = new Encryption(rulesOf(text));
    const prefix = (group: string, resource: string) => {
      const key = objectKey({ group, resource, clusterId: 'c', namespace: 'n', name: 'x' });
      return /^k8s:enc:\w+:v1:(\w+):/.exec(one.seal(key, secret('x')).toString('latin1'))?.[1];
    };
    assert.equal(prefix('', 'configmaps'), undefined);
    assert.equal(prefix('example.org', 'widgets'), undefined);
    assert.equal(prefix('apps', 'deployments'), 'apps');
    assert.equal(prefix('', 'secrets'), 'rest');
    assert.equal(prefix('example.org', 'things'), 'rest');
    assert.equal(prefix('internal.cellplane.io', 'pki'), undefined);
  });

  it('refuses what it cannot honour, and never tells a key', () => {
    const key = base64(32);
    const rows: readonly (readonly [string, RegExp])[] = [
      [configuration('[{kms: {name: x}}]'), /kms\.apiVersion: .*only v2/],
      [configuration('[{kms: {apiVersion: v2, endpoint: "unix:///x"}}]'), /kms\.name/],
      [
        configuration('[{kms: {apiVersion: v2, name: "a:b", endpoint: "unix:///x"}}]'),
        /must not contain ':'/,
      ],
      [configuration('[{kms: {apiVersion: v2, name: a, endpoint: "tcp://x"}}]'), /unix socket/],
      [configuration('[{kms: {apiVersion: v2, name: a, endpoint: "unix:///x", timeout: 0s}}]'), /positive/],
      [configuration('[{kms: {apiVersion: v2, name: a, endpoint: "unix:///x", timeout: x}}]'), /positive/],
      [configuration('[{kms: {apiVersion: v2, name: a, endpoint: "unix:///x", cachesize: 3}}]'), /cachesize/],
      [
        configuration(`[${Array(2).fill('{kms: {apiVersion: v2, name: a, endpoint: "unix:///x"}}').join()}]`),
        /duplicate KMS provider name a/,
      ],
      [configuration('[]'), /providers/],
      [configuration('[{rot13: {}}]'), /rot13/],
      [configuration(`[${provider('aesgcm', base64(31))}]`), /secret: must be/],
      [configuration(`[${provider('secretbox', base64(16))}]`), /secret: must be/],
      [configuration(`[${provider('aesgcm', `${key.slice(0, -4)}!!!!`)}]`), /base64/],
      [configuration(`[${provider('aesgcm', key, '"a:b"')}]`), /name/],
      [configuration('[{identity: {}, aescbc: {}}]'), /exactly one/],
      [configuration('[{identity: {}}]', '["*"]'), /\*/],
      [configuration('[{identity: {}}]', '["secrets.*"]'), /resources\[0\]/],
      [configuration('[{identity: {}}]', '[secrets.]'), /without a dot/],
      [
        `${configuration('[{identity: {}}]', '["*."]')}- resources: [secrets]\n  providers: [{identity: {}}]\n`,
        /covered/,
      ],
      ['kind: Secret', /kind/],
    ];
    for (const [text, message] of rows) {
      assert.throws(
        () => parseEncryptionConfiguration(text),
        (error: Error) => message.test(error.message) && !error.message.includes(key.slice(0, 20)),
        text,
      );
    }
  });

  it('leaves nothing of a secret on disk', async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'cellplane-encryption-'));
    try {
      const level = await openLevelStorage({ directory, logger: silentLogger });
      const storage = await openCachedStorage(
        new EncryptedStorage(level, encryption(`[${provider('aesgcm', base64(32))}]`)),
      );
      for (const [key, text] of [
        [keyOf('secrets'), 'needle-in-secret'],
        [keyOf('configmaps'), 'needle-in-configmap'],
      ] as const) {
        const operations = [{ type: 'put', key, value: secret(text) }] as const;
        await storage.transact({ guards: [], operations });
      }
      assert.ok(storage.peek(keyOf('secrets'))?.value.includes('needle-in-secret'));
      await storage.close();
      let bytes = '';
      for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
        if (file.isFile()) bytes += await readFile(path.join(file.parentPath, file.name), 'latin1');
      }
      assert.ok(bytes.includes('needle-in-configmap'));
      assert.ok(!bytes.includes('needle-in-secret'));
      assert.ok(bytes.includes('k8s:enc:aesgcm:v1:k1:'));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('tells when another configuration opens something otherwise', async () => {
    const [one, other] = [base64(32), base64(32)];
    const of = (...providers: string[]) => encryption(`[${providers.join(', ')}]`);
    const rules = (providers: string, resources = '[secrets]') =>
      parseEncryptionConfiguration(configuration(`[${providers}]`).replace('[secrets]', resources)).rules(
        new Map(),
      );
    const [a, b, sameName] = [
      provider('aesgcm', one),
      provider('aesgcm', other, 'k2'),
      provider('aesgcm', other),
    ];
    const revision = 7 as Revision;
    assert.equal(of(a).replace(rules(`${b}, ${a}`), revision), 'all as before');
    assert.equal(of(b, a).replace(rules(b), revision), 'some otherwise');
    assert.equal(of(a).replace(rules(sameName), revision), 'some otherwise', 'another key of that name');
    assert.equal(of(a, '{identity: {}}').replace(rules(a), revision), 'some otherwise');
    assert.equal(of(a).replace(rules(a, '[secrets, configmaps]'), revision), 'some otherwise');
    assert.equal(
      of(a).replace(rules(`${a}, {identity: {}}`, '[secrets, configmaps]'), revision),
      'all as before',
    );
    const lacking = of(a);
    assert.throws(() =>
      objectOf(entry(lacking.open(keyOf('secrets'), of(b).seal(keyOf('secrets'), secret('x'))))),
    );
    assert.equal(lacking.replace(rules(`${a}, ${b}`), revision), 'some otherwise', 'the missing key came');
  });

  it('takes a changed file, keeps the last good one, and knows what is old then', async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'cellplane-encryption-'));
    const file = path.join(directory, 'encryption.yaml');
    const [a, b] = [provider('aesgcm', base64(32)), provider('aesgcm', base64(32), 'k2')];
    await writeFile(file, configuration(`[${a}]`));
    const one = encryption(`[${a}]`);
    const storage = createMemoryStorage();
    let anew = 0;
    const stop = followEncryptionFile({
      file,
      encryption: one,
      kms: new KmsProviders({ logger: silentLogger }),
      storage: { currentRevision: async () => 7 as Revision },
      readAnew: () => anew++,
      logger: silentLogger,
      intervalMs: 10,
    });
    const writesWith = async (keyName: string) => {
      for (let i = 0; i < 20_000; i++) {
        if (one.seal(keyOf('secrets'), secret('x')).includes(`:${keyName}:`)) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.fail(`never wrote with ${keyName}`);
    };
    try {
      const sealed = one.seal(keyOf('secrets'), secret('x'));
      assert.equal(one.isStale(entry(sealed)), false);
      await writeFile(file, `${configuration(`[${b}, ${a}]`)}# changed\n`);
      await writesWith('k2');
      assert.equal(one.isStale(entry(sealed)), true);
      assert.equal(one.isStale(entry(sealed, keyOf('configmaps'))), false);
      assert.equal(one.isStale({ ...entry(sealed), revision: 8 as Revision }), false);
      await writeFile(file, 'nonsense: [');
      await new Promise((resolve) => setTimeout(resolve, 60));
      await writesWith('k2');
      assert.equal(objectOf(entry(one.open(keyOf('secrets'), sealed)))['kind'], 'Secret');
      assert.equal(anew, 0);
      await writeFile(file, configuration(`[${b}]`));
      for (let i = 0; i < 20_000 && anew === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(anew, 1, 'the first key is gone');
    } finally {
      stop();
      await storage.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
