// Provider kms, version 2 (KUBERNETES.md O5, KEP-3299), against a plugin at a unix socket.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { KeyValue, Revision, Storage, StorageEvent, WatchHandler } from '#storage/storage.ts';
import { runStorageConformance } from '#storage/testing/storage-conformance.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { bodyOf } from '../registry/stored-body.ts';
import { objectOf } from '../registry/stored-object.ts';
import { isMarkedStale } from '../registry/unreadable-value.ts';
import { EncryptedStorage } from './encrypted-storage.ts';
import { Encryption } from './encryption.ts';
import { openWithSeed, sealWithSeed } from './extended-nonce.ts';
import { KmsClient } from './kms-client.ts';
import { joinObject, splitObject } from './kms-messages.ts';
import { defaultKmsLimits, type KmsLimits, KmsProvider } from './kms-provider.ts';
import { KmsProviders } from './kms-providers.ts';
import { FakeKmsPlugin } from './testing/fake-kms-plugin.ts';

const secretDefinition = builtinDefinitions().find(
  ({ group, resource }) => group === '' && resource === 'secrets',
) as ResourceDefinition;
const secret = (text: string) =>
  encodeStored(
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { text } },
    secretDefinition,
  );
const key = objectKey({ group: '', resource: 'secrets', clusterId: 'c1', namespace: 'n', name: 's' });
const entry = (value: Buffer): KeyValue => ({ key, value, revision: 5 as Revision });
const unavailable = 14;
const internal = 13;

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-kms-'));
});
after(() => rm(folder, { recursive: true, force: true }));

let sockets = 0;
async function startPlugin(): Promise<FakeKmsPlugin> {
  const plugin = new FakeKmsPlugin(path.join(folder, `${++sockets}.sock`));
  await plugin.start();
  return plugin;
}

const specOf = ({ socketPath }: FakeKmsPlugin) => ({ name: 'vault', socketPath, timeoutMs: 60_000 });

let conformancePlugin: FakeKmsPlugin | undefined;
runStorageConformance(
  'encrypted by KMS',
  async () => {
    conformancePlugin ??= await startPlugin();
    const kms = new KmsProviders({ logger: silentLogger });
    const { providers, keep } = await kms.open([specOf(conformancePlugin)]);
    keep();
    const rules = [{ resources: ['*.*'], transformers: [...providers.values()] }];
    const storage = new EncryptedStorage(createMemoryStorage(), new Encryption(rules));
    return {
      storage,
      dispose: async () => {
        kms.stop();
        await storage.close();
      },
    };
  },
  { reopen: false, keepsSizes: false },
);
after(() => conformancePlugin?.stop());

it('values are sealed under keys derived from a seed: HKDF-SHA-256, expansion alone', () => {
  const seed = Buffer.alloc(32, 7);
  const sealed = sealWithSeed(seed, Buffer.from('text'), 'context');
  assert.equal(sealed.length, 32 + 12 + 4 + 16);
  assert.equal(openWithSeed(seed, sealed, 'context')?.toString(), 'text');
  assert.equal(openWithSeed(seed, sealed, 'elsewhere'), undefined);
  assert.equal(openWithSeed(Buffer.alloc(32, 8), sealed, 'context'), undefined);
  assert.equal(openWithSeed(seed, sealed.subarray(0, 40), 'context'), undefined);
  assert.notDeepEqual(sealWithSeed(seed, Buffer.from('text'), 'context'), sealed);
});

it('an EncryptedObject is split and joined at its first field', () => {
  for (const bytes of [1, 127, 128, 16_384, 70_000]) {
    const data = Buffer.alloc(bytes, 3);
    const rest = Buffer.from([0x12, 1, 65]);
    const joined = joinObject({ data, rest });
    assert.deepEqual(splitObject(joined), { data, rest });
    assert.equal(splitObject(joined.subarray(0, bytes)), undefined);
  }
  for (const bytes of ['', '0a', '0a00', '0aff', '0affffffffff', '1201', '0a05aa']) {
    assert.equal(splitObject(Buffer.from(bytes, 'hex')), undefined, bytes);
  }
});

describe('a KMS plugin', () => {
  let plugin: FakeKmsPlugin;
  let clock: ManualClock;
  const opened: KmsProvider[] = [];
  let newKeys = 0;
  let recoveries = 0;
  /** Providers that wait for their next look: each has a timer. */
  let started = 0;

  beforeEach(async () => {
    started = 0;
    plugin = await startPlugin();
    clock = new ManualClock();
    newKeys = 0;
    recoveries = 0;
  });
  afterEach(() => {
    for (const provider of opened.splice(0)) provider.stop();
    plugin.stop();
  });

  /** With the clock turned while it starts, so that no test waits. */
  function make(limits: Partial<KmsLimits> = {}): KmsProvider {
    const provider = new KmsProvider({
      spec: specOf(plugin),
      service: new KmsClient(specOf(plugin)),
      clock,
      logger: silentLogger,
      limits,
      onNewKey: () => newKeys++,
      onRecovery: () => recoveries++,
    });
    opened.push(provider);
    return provider;
  }
  async function start(limits?: Partial<KmsLimits>): Promise<KmsProvider> {
    const provider = make(limits);
    await provider.start();
    started++;
    return provider;
  }
  const encryptionOf = (provider: KmsProvider) =>
    new Encryption([{ resources: ['secrets'], transformers: [provider] }]);
  /** Turns the clock while something waits for it, and only then, until it is done. */
  async function turning<T>(work: Promise<T>, stepMs = 500): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    while (!isDone) {
      if (clock.pendingCount > started) clock.advance(stepMs);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return done;
  }
  /** The next look of the plugin that is due, to its end. */
  async function look(provider: KmsProvider): Promise<void> {
    const { status } = plugin.calls;
    clock.advance(defaultKmsLimits.lookAgainMs);
    await until(() => plugin.calls.status > status);
    await provider.check().catch(() => {});
  }
  async function until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 100_000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(condition());
  }

  it('seals with one seed that it encrypted once, in upstream’s format', async () => {
    const provider = await start();
    const one = encryptionOf(provider);
    const sealed = Array.from({ length: 50 }, (_, i) => one.seal(key, secret(`hidden ${i}`)));
    assert.deepEqual(plugin.calls, { status: 1, encrypt: 1, decrypt: 0 });
    assert.equal(sealed[0]!.subarray(0, 21).toString(), 'k8s:enc:kms:v2:vault:');
    assert.ok(!sealed[0]!.includes('hidden'));
    assert.equal(one.prepare([entry(sealed[0]!)]), undefined);
    for (const [i, value] of sealed.entries()) assert.deepEqual(one.open(key, value), secret(`hidden ${i}`));
    assert.equal(plugin.calls.decrypt, 0);
  });

  it('opens what another process sealed, asking once for each seed', async () => {
    const first = encryptionOf(await start()).seal(key, secret('a'));
    const second = encryptionOf(await start()).seal(key, secret('b'));
    const reader = encryptionOf(await start());
    await Promise.all([
      reader.prepare([entry(first), entry(second), entry(first)]),
      reader.prepare([entry(first)]),
    ]);
    assert.equal(plugin.calls.decrypt, 2);
    assert.equal(reader.prepare([entry(first), entry(second)]), undefined);
    assert.deepEqual(bodyOf(entry(reader.open(key, first))), bodyOf(entry(secret('a'))));
    assert.equal(isMarkedStale(entry(reader.open(key, second))), false);
    const other = objectKey({
      group: '',
      resource: 'secrets',
      clusterId: 'c1',
      namespace: 'n',
      name: 'other',
    });
    assert.throws(() => objectOf({ ...entry(reader.open(other, first)), key: other }), /does not fit/);
  });

  it('takes a new seed when the plugin has another key, and what has the old one is to be written again', async () => {
    const provider = await start();
    const one = encryptionOf(provider);
    const old = one.seal(key, secret('a'));
    plugin.keyId = 'key-2';
    await look(provider);
    assert.equal(newKeys, 1);
    assert.equal(plugin.calls.encrypt, 2);
    assert.equal(isMarkedStale(entry(one.open(key, old))), true);
    assert.equal(isMarkedStale(entry(one.open(key, one.seal(key, secret('a'))))), false);
    assert.equal(one.isStale(entry(old)), false);
    one.keyChanged(5 as Revision);
    assert.equal(
      one.isStale(entry(old)),
      true,
      'also what is in memory, which does not say how it was sealed',
    );
    await look(provider);
    assert.equal(plugin.calls.encrypt, 2);
  });

  it('writes for three minutes without the plugin, reads for ever', async () => {
    const provider = await start();
    const one = encryptionOf(provider);
    const sealed = one.seal(key, secret('a'));
    plugin.health = 'the vault is shut';
    await look(provider);
    await assert.rejects(
      provider.check(),
      /^Error: kmsv2 Provider vault is not healthy, error: got unexpected healthz status: the vault is shut$/,
    );
    one.seal(key, secret('b'));
    clock.advance(defaultKmsLimits.writeWithoutMs);
    assert.throws(
      () => one.seal(key, secret('c')),
      (error) =>
        isApiError(error, 'InternalError') &&
        /encryptedDEKSource with keyID hash "sha256:[0-9a-f]{64}" expired: .*the vault is shut/.test(
          error.message,
        ),
    );
    assert.deepEqual(bodyOf(entry(one.open(key, sealed))), bodyOf(entry(secret('a'))));
    await provider.check().catch(() => {});
    plugin.health = 'ok';
    await look(provider);
    one.seal(key, secret('d'));
    assert.equal(plugin.calls.encrypt, 1, 'the seed is as good as before');
  });

  it('is ill when its answers are', async () => {
    const provider = make({ startPatienceMs: 0 });
    const rows: [() => void, RegExp][] = [
      [() => Object.assign(plugin, { version: 'v1' }), /expected KMSv2 API version v2, got v1/],
      [() => Object.assign(plugin, { keyId: '' }), /expected KMSv2 KeyID to be set/],
      [
        () => Object.assign(plugin, { keyId: 'x'.repeat(1025) }),
        /1025 bytes, which exceeds the max size of 1024/,
      ],
      [
        () => Object.assign(plugin.failures, { status: internal }),
        /failed to perform status section.*status fails/,
      ],
      [
        () => Object.assign(plugin.failures, { encrypt: internal }),
        /failed to encrypt DEK, error:.*encrypt fails/,
      ],
    ];
    for (const [spoil, message] of rows) {
      Object.assign(plugin, { version: 'v2', keyId: 'key-1' });
      Object.assign(plugin.failures, { status: undefined, encrypt: undefined });
      spoil();
      await assert.rejects(provider.start(), message);
      assert.throws(() => provider.seal(Buffer.from('x'), ''), message);
    }
  });

  it('is waited for at the start', async () => {
    plugin.failures.status = unavailable;
    const starting = start();
    await until(() => {
      if (clock.pendingCount > 0) clock.advance(100);
      return plugin.calls.status >= 2;
    });
    delete plugin.failures.status;
    await turning(starting);
    plugin.stop();
    await assert.rejects(
      turning(start()),
      /failed to perform status section of the healthz check for KMS Provider vault/,
    );
  });

  it('that refuses a key makes its values unreadable, saying so; one that comes back with it has them read anew', async () => {
    const writer = await start();
    const sealed = encryptionOf(writer).seal(key, secret('a'));
    const kept = plugin.keys.get('key-1')!;
    plugin.keys.set('key-2', Buffer.alloc(32, 9));
    plugin.keyId = 'key-2';
    plugin.keys.delete('key-1');
    const provider = await start();
    const one = encryptionOf(provider);
    await one.prepare([entry(sealed)]);
    assert.throws(
      () => objectOf(entry(one.open(key, sealed))),
      (error) =>
        isApiError(error, 'InternalError') &&
        /secrets "s" .*cannot be read: k8s:enc:kms:v2:vault: failed to decrypt DEK, error: no key key-1/.test(
          error.message,
        ),
    );
    assert.equal(plugin.calls.decrypt, 1);
    await look(provider);
    assert.equal(recoveries, 0);
    plugin.keys.set('key-1', kept);
    await look(provider);
    assert.equal(recoveries, 1);
    assert.equal(objectOf(entry(one.open(key, sealed)))['kind'], 'Secret');
  });

  it('that cannot be reached is waited for, then the read fails rather than the value', async () => {
    const sealed = encryptionOf(await start()).seal(key, secret('a'));
    const one = encryptionOf(await start());
    plugin.failures.decrypt = unavailable;
    await assert.rejects(turning(one.prepare([entry(sealed)])!), (error) =>
      isStorageError(error, 'unavailable'),
    );
    assert.ok(plugin.calls.decrypt > 2);
    plugin.failures.decrypt = internal;
    const waiting = one.prepare([entry(sealed)])!;
    await new Promise((resolve) => setTimeout(resolve, 20));
    delete plugin.failures.decrypt;
    await turning(waiting);
    assert.equal(objectOf(entry(one.open(key, sealed)))['kind'], 'Secret');
  });

  it('what is no EncryptedObject is an unreadable value', async () => {
    const provider = await start();
    const one = encryptionOf(provider);
    const sealed = one.seal(key, secret('a'));
    const object = splitObject(sealed.subarray(provider.prefix.length))!;
    const rows: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /no EncryptedObject/],
      [Buffer.from('0a0101', 'hex'), /encrypted DEK source is empty/],
      [joinObject({ data: object.data, rest: Buffer.from('ff', 'hex') }), /no EncryptedObject/],
      [
        joinObject({ data: object.data, rest: Buffer.concat([object.rest, Buffer.from('2805', 'hex')]) }),
        /unknown encryptedDEKSourceType: 5/,
      ],
    ];
    for (const [bytes, message] of rows) {
      const value = Buffer.concat([provider.prefix, bytes]);
      await one.prepare([entry(value)]);
      assert.throws(() => objectOf(entry(one.open(key, value))), message);
    }
    const cut = one.open(key, sealed.subarray(0, sealed.length - object.rest.length - 1));
    assert.throws(() => objectOf(entry(cut)), /cannot be read/);
    assert.equal(plugin.calls.decrypt, 0);
  });

  it('events wait for keys in their order, and a cache reads anew what it could not read', async () => {
    const inner = createMemoryStorage();
    const elsewhere = new EncryptedStorage(inner, encryptionOf(await start()));
    const nameOf = (name: string) =>
      objectKey({ group: '', resource: 'secrets', clusterId: 'c1', namespace: 'n', name });
    const put = (storage: Storage, name: string) =>
      storage.transact({
        guards: [],
        operations: [{ type: 'put', key: nameOf(name), value: secret(name) }],
      });
    const provider = await start();
    const here = new EncryptedStorage(inner, encryptionOf(provider));
    const seen: string[] = [];
    const handler: WatchHandler = {
      events: (events: readonly StorageEvent[]) =>
        seen.push(...events.map(({ key: at, value }) => `${at.slice(-1)} ${value?.includes('Secret')}`)),
      end: () => seen.push('end'),
    };
    const watch = await here.watch({ prefix: '', afterRevision: await inner.currentRevision() }, handler);
    await put(elsewhere, 'a');
    await put(here, 'b');
    await put(elsewhere, 'c');
    await until(() => seen.length === 3);
    assert.deepEqual(seen, ['a true', 'b true', 'c true']);
    watch.close();

    const kept = plugin.keys.get('key-1')!;
    plugin.keys.set('key-2', Buffer.alloc(32, 9));
    plugin.keyId = 'key-2';
    plugin.keys.delete('key-1');
    const late = await start();
    const sealed = new EncryptedStorage(inner, encryptionOf(late));
    const cache = await openCachedStorage(sealed);
    assert.throws(() => objectOf(cache.peek(nameOf('a'))!), /cannot be read/);
    plugin.keys.set('key-1', kept);
    await look(late);
    sealed.reopenAll();
    await until(() => {
      try {
        return objectOf(cache.peek(nameOf('a'))!)['kind'] === 'Secret';
      } catch {
        return false;
      }
    });
    await put(cache, 'd');
    assert.equal(objectOf(cache.peek(nameOf('d'))!)['kind'], 'Secret');
    await cache.close();
  });

  it('that two configurations name is kept; one that is named no more is let go', async () => {
    const kms = new KmsProviders({ logger: silentLogger });
    const other = await startPlugin();
    try {
      const first = await kms.open([specOf(plugin)]);
      first.keep();
      const both = await kms.open([specOf(plugin), { ...specOf(other), name: 'other' }]);
      both.keep();
      assert.equal(first.providers.get('vault'), both.providers.get('vault'));
      assert.equal(plugin.calls.encrypt, 1);
      await kms.check();
      const gone = both.providers.get('other')!;
      const last = await kms.open([specOf(plugin)]);
      last.keep();
      await assert.rejects(
        gone.check().then(() => Promise.reject(new Error('well'))),
        /./,
      );
    } finally {
      kms.stop();
      other.stop();
    }
  });
});
