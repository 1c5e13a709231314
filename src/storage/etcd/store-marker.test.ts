import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { EtcdServer, skipWithoutEtcd } from '../../../test/harness/etcd-server.ts';
import { isStorageError } from '../errors.ts';
import { key, plain, put, write } from '../testing/storage-fixture.ts';
import { openEtcdStorage } from './etcd-storage.ts';
import { type EtcdUpgrade, etcdFormatVersion, etcdUpgrades } from './store-marker.ts';

describe('formats of the store in etcd', { skip: skipWithoutEtcd }, () => {
  let etcd: EtcdServer;

  before(async () => {
    etcd = await EtcdServer.start({ flags: ['--unsafe-no-fsync'] });
  });
  after(() => etcd.dispose());

  const open = (prefix: string, upgrades: readonly EtcdUpgrade[] = []) =>
    openEtcdStorage({
      endpoints: [etcd.endpoint],
      prefix,
      clock: systemClock,
      upgrades,
      requestTimeoutMs: 120_000,
    });

  it('counts one more than there are upgrades', () => {
    assert.equal(etcdFormatVersion, 1 + etcdUpgrades.length);
  });

  it('brings an older store to the newest format, by two servers at once too, keeping what is in it', async () => {
    const first = await open('/older');
    const revision = await write(first, put('/g/r/c/n/a', '1'));
    await first.close();
    let done = 0;
    const upgrades: EtcdUpgrade[] = [
      async () => {
        done++;
      },
      async () => {
        done++;
      },
    ];
    const both = await Promise.all([open('/older', upgrades), open('/older', upgrades)]);
    for (const storage of both) {
      const item = await storage.get(key('/g/r/c/n/a'));
      assert.equal(plain(item)?.value, '1');
      assert.equal(item?.revision, revision);
      await storage.close();
    }
    assert.ok(done >= 2 && done <= 4, String(done));
    await (await open('/older', upgrades)).close();
    await assert.rejects(open('/older'), (error) => {
      assert.ok(isStorageError(error, 'unusable'));
      assert.match(error.message, /has format 3, this program knows 1: use a newer one/);
      return true;
    });
  });

  it('makes new stores in the newest format', async () => {
    const upgrade: EtcdUpgrade = async () => assert.fail('nothing to upgrade');
    await (await open('/newest', [upgrade])).close();
    await (await open('/newest', [upgrade])).close();
    await assert.rejects(open('/newest'), /has format 2/);
  });
});
