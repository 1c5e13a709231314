import { projectDefinitions } from '#api/policy/definitions.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { startServer } from '#apiserver/server.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { openEtcdStorage } from '#storage/etcd/etcd-storage.ts';
import { adminConnectionTo, createTestPki } from '../harness/test-pki.ts';

export interface EtcdBackedServer extends AsyncDisposable {
  readonly admin: RemoteClient;
}

/** An API server of this process on an etcd cluster, which gives up on a call of etcd after `requestTimeoutMs`. */
export async function startEtcdBackedServer(
  endpoints: readonly string[],
  requestTimeoutMs: number,
): Promise<EtcdBackedServer> {
  const pki = await createTestPki();
  const inner = await openEtcdStorage({
    endpoints,
    prefix: '/cellplane',
    requestTimeoutMs,
    clock: systemClock,
  });
  const server = await startServer({
    mode: 'federation',
    storage: await openCachedStorage(inner),
    pki,
    bindAddress: '127.0.0.1',
    port: 0,
    externalHost: '127.0.0.1',
    projectDefinitions: projectDefinitions(),
    version: 'test',
    clock: systemClock,
    logger: silentLogger,
  });
  const admin = new RemoteClient(adminConnectionTo(pki, `https://127.0.0.1:${server.port}`), {
    userAgent: 'cellplane-test',
  });
  return {
    admin,
    async [Symbol.asyncDispose]() {
      await admin.close();
      await server.stop();
    },
  };
}
