import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { WorkspaceObject } from '#api/tenancy/workspace.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { StorageError } from '#storage/errors.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { RemoteStorage } from '#storage/testing/remote-storage.ts';
import { eventually, type ServerFixture, startServerFixture } from '../controllers/testing/server-fixture.ts';
import { standingAuthorizer, standingCheck } from './standing-workspace.ts';

const inRoot = { cluster: 'root', gvr: workspacesGvr };
const shop: KubeObject = {
  apiVersion: 'tenancy.kcp.io/v1alpha1',
  kind: 'Workspace',
  metadata: { name: 'shop' },
};
const maps = {
  cluster: 'root:shop',
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: 'default',
};
const one: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } };

/** Two servers on one store, the second of which can be kept from hearing of what the first has written. */
describe('a server that lags behind another one on its store', () => {
  let late: RemoteStorage;
  let first: ServerFixture;
  let second: ServerFixture;

  beforeEach(async () => {
    const origin = createMemoryStorage();
    late = new RemoteStorage(origin);
    first = await startServerFixture({ inner: new RemoteStorage(origin) });
    second = await startServerFixture({ inner: late, controllers: false });
    await first.client.create(inRoot, shop);
    await eventually('the second server knows the workspace', () => second.client.list(maps));
  });
  afterEach(async () => {
    await first.stop();
    await second.stop();
  });

  /** The workspace is taken away and made anew; the second server hears of it when what `ask` begins is under way. */
  async function askWhileReplaced<T>(ask: () => Promise<T>): Promise<T> {
    const itself = { ...inRoot, name: 'shop' };
    const before = (await first.client.get(itself)) as WorkspaceObject;
    late.hold();
    await first.client.delete(itself);
    await eventually('the workspace is gone', () => first.index.find('root:shop') === undefined);
    const after = (await first.client.create(inRoot, shop)) as WorkspaceObject;
    assert.notEqual(after.spec?.cluster, before.spec?.cluster);
    assert.equal(second.index.find('root:shop')?.id, before.spec?.cluster, 'it does not know that');
    const asked = ask();
    await new Promise((resolve) => setTimeout(resolve, 50));
    late.release();
    return asked;
  }

  test('acknowledges no write into a workspace that is gone', async () => {
    await assert.rejects(
      askWhileReplaced(() => second.client.create(maps, one)),
      (error) => isApiError(error, 'ServiceUnavailable') && error.details?.retryAfterSeconds === 1,
    );
    await second.client.create(maps, one);
    assert.equal((await first.client.get({ ...maps, name: 'one' })).metadata.name, 'one');
  });

  test('finds nothing missing by what it knows of a workspace that is gone', async () => {
    const ref = { ...maps, name: 'one' };
    await assert.rejects(
      askWhileReplaced(async () => {
        await first.client.create(maps, one);
        return second.client.get(ref);
      }),
      (error) => isApiError(error, 'ServiceUnavailable'),
    );
    assert.equal((await second.client.get(ref)).metadata.name, 'one');
  });

  test('refuses nobody by the rights in a workspace that is gone', async () => {
    const workspace = second.index.resolve('root:shop');
    const authorizer = standingAuthorizer(
      { authorize: async () => ({ decision: 'noOpinion', reason: '' }) },
      standingCheck(second.index),
    );
    const attributes = { user: { name: 'ada', groups: [], extra: new Map() }, workspace, verb: 'get' };
    const ask = async () => authorizer.authorize({ ...attributes, resource: undefined, path: '/api' });
    assert.equal((await ask()).decision, 'noOpinion');
    await askWhileReplaced(async () => {});
    await second.storage.awaitFresh();
    await assert.rejects(ask(), (error) => isApiError(error, 'ServiceUnavailable'));
  });

  test('knows workspaces again, as soon as it is fresh, when it has lost what was between', async () => {
    const away = new StorageError('compacted', 'the revision was compacted');
    late.watchFailures.push(away);
    late.hold();
    await first.client.create(inRoot, { ...shop, metadata: { name: 'other' } });
    late.breakWatches(away);
    await second.storage.awaitFresh();
    assert.equal(second.index.resolve('root:other').path, 'root:other');
  });

  test('tells its own clients that the store is away in words of the API', async () => {
    late.currentRevision = async () => {
      throw new StorageError('unavailable', 'away');
    };
    await assert.rejects(second.client.list({ ...maps, cluster: 'root:nowhere' }), (error) =>
      isApiError(error, 'ServiceUnavailable'),
    );
  });
});
