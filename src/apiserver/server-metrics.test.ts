import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Revision } from '#storage/storage.ts';
import type { PeerCertificate } from './authn/authenticator.ts';
import { X509Authenticator } from './authn/x509.ts';
import { processMetrics } from './http/metrics/process-metrics.ts';
import { ServerMetrics } from './server-metrics.ts';

test('objects by kind and calls to the store, as dashboards of Kubernetes ask for them', async () => {
  const storage = await openCachedStorage(createMemoryStorage());
  try {
    const keyOf = (group: string, resource: string, name: string) =>
      objectKey({ group, resource, clusterId: 'c', namespace: 'n', name });
    const put = async (group: string, resource: string, name: string) => {
      const key = keyOf(group, resource, name);
      const value = Buffer.from('{}');
      await storage.transact({
        guards: [{ key, revision: 0 as Revision }],
        operations: [{ type: 'put', key, value }],
      });
    };
    await put('', 'pods', 'a');
    await put('', 'pods', 'b');
    await put('apps', 'deployments', 'a');
    await put('internal.cellplane.io', 'nodeports', '30000');
    await storage.transact({ guards: [], operations: [{ type: 'delete', key: keyOf('', 'pods', 'b') }] });
    const text = new ServerMetrics(storage).render();
    for (const line of [
      'apiserver_resource_objects{group="",resource="pods"} 1',
      'apiserver_resource_objects{group="apps",resource="deployments"} 1',
      'apiserver_storage_objects{resource="deployments.apps"} 1',
      'etcd_request_duration_seconds_count{operation="create",type=""} 4',
      'etcd_request_duration_seconds_count{operation="update",type=""} 0',
      'etcd_request_duration_seconds_count{operation="delete",type=""} 1',
      'cellplane_cache_keys 3',
      // Recorded series find a bucket by its text, which is Go's.
      'apiserver_client_certificate_expiration_seconds_bucket{le="604800"} 0',
      'apiserver_client_certificate_expiration_seconds_bucket{le="2.592e+06"} 0',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    assert.doesNotMatch(text, /nodeports/);
  } finally {
    await storage.close();
  }
});

test('how long the certificates that clients come with are still valid', async () => {
  const storage = await openCachedStorage(createMemoryStorage());
  try {
    const metrics = new ServerMetrics(storage);
    const authenticator = new X509Authenticator(() => 0, undefined, undefined, metrics.certificateLifetimes);
    const certificate: PeerCertificate = {
      verified: true,
      commonName: 'jane',
      organizations: [],
      notBeforeMs: 0,
      notAfterMs: 86_400_000,
      fingerprint: '',
      chain: [],
    };
    for (let i = 0; i < 2; i++) authenticator.authenticate({ certificate, bearerToken: undefined });
    const name = 'apiserver_client_certificate_expiration_seconds';
    const text = metrics.render();
    assert.ok(text.includes(`${name}_bucket{le="43200"} 0\n${name}_bucket{le="86400"} 2\n`), text);
  } finally {
    await storage.close();
  }
});

test('the process, for dashboards of Prometheus and Node.js', () => {
  const text = processMetrics();
  for (const name of ['nodejs_heap_size_used_bytes', 'nodejs_eventloop_active_seconds_total']) {
    assert.match(text, new RegExp(`^${name} [\\d.]+$`, 'm'));
  }
  assert.match(text, /^nodejs_version_info\{version="v\d+/m);
  if (process.platform === 'linux') assert.match(text, /^process_open_fds [1-9]\d*$/m);
});
