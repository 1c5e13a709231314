import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { schemeOf } from '../http/testing/test-server.ts';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import { seatsOf } from './seats.ts';
import { workspaceOf } from './testing/askers.ts';

describe('seats of a request (O2)', () => {
  test('a list costs a seat for each hundred objects, a watch as long as it begins with one', async () => {
    const storage = await openCachedStorage(createMemoryStorage());
    const pods = builtinDefinitions().find(({ group, resource }) => group === '' && resource === 'pods')!;
    const scheme = schemeOf(pods);
    for (let i = 0; i < 250; i++) {
      const namespace = i % 2 === 0 ? 'even' : 'odd';
      const key = objectKey({ ...pods.storedAs, clusterId: 'root', namespace, name: `pod-${i}` });
      const value = Buffer.from([0]);
      await storage.transact({ guards: [], operations: [{ type: 'put', key, value }] });
    }
    const workspace = workspaceOf('root');
    const seats = (url: string) => seatsOf(parseRequestInfo('GET', url), workspace, scheme, storage);
    assert.equal(seats('/api/v1/pods'), 3);
    assert.equal(seats('/api/v1/namespaces/odd/pods'), 2);
    assert.equal(seats('/api/v1/namespaces/odd/pods/pod-1'), 1);
    assert.equal(seats('/api/v1/pods?limit=100'), 1);
    assert.equal(seats('/api/v1/pods?limit=200'), 2);
    assert.equal(seats('/api/v1/pods?limit=10&labelSelector=a'), 3, 'a selector looks at everything');
    assert.equal(seats('/api/v1/pods?watch=true'), 3);
    assert.equal(seats('/api/v1/pods?watch=true&resourceVersion=5'), 1);
    assert.equal(seats('/api/v1/pods?watch=true&resourceVersion=5&sendInitialEvents=true'), 3);
    assert.equal(seats('/apis/absent.example.org/v1/things'), 1);
    await storage.close();
  });
});
