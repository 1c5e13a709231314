// Identity in request headers, as the ConfigMap of the API server in front has it at the moment (KUBERNETES.md O1, U1).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { until } from '#test/harness/until.ts';
import { makePki } from '../http/testing/test-server.ts';
import type { PeerCertificate } from './authenticator.ts';
import { ForeignAuthentication } from './foreign-authentication.ts';
import { peerOf } from './testing/peer-certificate.ts';

const front = makePki();
const clients = makePki();

const proxy = peerOf(front, 'front');
const bob = peerOf(clients, 'bob');

const clientKeys = { 'client-ca-file': clients.ca.certificatePem };
const proxyKeys = {
  'requestheader-client-ca-file': front.ca.certificatePem,
  'requestheader-allowed-names': '["front"]',
  'requestheader-username-headers': '["X-Remote-User"]',
  'requestheader-group-headers': '["X-Remote-Group"]',
};

/** An API server that has this ConfigMap alone. */
class Host {
  readonly #pki = makePki();
  readonly #watching = new Set<ServerResponse>();
  #current: KubeObject | undefined;
  #revision = 1;
  readonly #server = createServer(
    { cert: this.#pki.serving.certificatePem, key: this.#pki.serving.keyPem },
    ({ url = '' }, response) => {
      response.setHeader('content-type', 'application/json');
      if (url.includes('watch=')) {
        response.flushHeaders();
        this.#watching.add(response);
        response.once('close', () => this.#watching.delete(response));
        return;
      }
      const absent = {
        ...{ apiVersion: 'v1', kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 },
        message: 'configmaps "extension-apiserver-authentication" not found',
      };
      response.statusCode = this.#current === undefined ? 404 : 200;
      response.end(JSON.stringify(this.#current ?? absent));
    },
  );

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get connection() {
    const { port } = this.#server.address() as AddressInfo;
    return { server: `https://localhost:${port}`, caPem: this.#pki.ca.certificatePem };
  }

  get isWatched(): boolean {
    return this.#watching.size > 0;
  }

  /** `data` undefined: the ConfigMap is deleted. */
  set(data: Record<string, string> | undefined): void {
    const before = this.#current;
    const revision = `${++this.#revision}`;
    this.#current = data === undefined ? undefined : configMap(data, revision);
    const type = data === undefined ? 'DELETED' : before === undefined ? 'ADDED' : 'MODIFIED';
    const object = this.#current ?? before;
    for (const response of this.#watching) response.write(`${JSON.stringify({ type, object })}\n`);
  }
}

function configMap(data: Record<string, string>, resourceVersion: string): KubeObject {
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system', resourceVersion };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

describe('a host that tells later, or no longer, how it shows itself', () => {
  const host = new Host();
  let foreign: ForeignAuthentication;
  let changes = 0;

  before(async () => {
    await host.start();
    foreign = await ForeignAuthentication.open(
      { authentication: host.connection, looksUp: true },
      (path) => ({ id: path, path }),
      silentLogger,
    );
    foreign.follow(systemClock, silentLogger, () => changes++);
    await until('it is watched', () => host.isWatched);
  });
  after(async () => {
    await foreign?.close();
    host.stop();
  });

  /** Whoever a certificate and headers name; undefined when nobody takes them for anything. */
  const userOf = (certificate: PeerCertificate, rawHeaders: readonly string[] = []): string | undefined => {
    for (const one of foreign.authenticators) {
      try {
        const user = one.authenticate({ certificate, bearerToken: undefined, rawHeaders });
        assert.ok(!(user instanceof Promise));
        if (user !== undefined) return `${user.name}${user.uid === undefined ? '' : ` ${user.uid}`}`;
      } catch {
        // The next one may know it.
      }
    }
    return undefined;
  };
  const told = async (data: Record<string, string> | undefined) => {
    const before = changes;
    host.set(data);
    await until('it is used', () => changes > before);
  };
  const jane = ['X-Remote-User', 'jane', 'X-Remote-Uid', 'u'];

  it('knows nobody before', () => {
    assert.equal(userOf(proxy, jane), undefined);
    assert.equal(userOf(bob), undefined);
    assert.deepEqual(foreign.authoritiesPem, []);
  });

  it('knows clients when their authority comes, and users in headers when the keys for them come', async () => {
    await told(clientKeys);
    assert.equal(userOf(bob), 'bob');
    assert.equal(userOf(proxy, jane), undefined);
    await told({ ...clientKeys, ...proxyKeys });
    // No header for uids is named: what a client of an API server before 1.32 sends in it comes through.
    assert.equal(userOf(proxy, jane), 'jane');
    assert.deepEqual(foreign.authoritiesPem, [clients.ca.certificatePem, front.ca.certificatePem]);
    await told({ ...clientKeys, ...proxyKeys, 'requestheader-uid-headers': '["X-Remote-Uid"]' });
    assert.equal(userOf(proxy, jane), 'jane u');
  });

  it('believes no headers that are not named', async () => {
    const { 'requestheader-username-headers': _, ...others } = proxyKeys;
    await told({ ...clientKeys, ...others });
    assert.equal(userOf(proxy, jane), undefined);
  });

  it('knows nobody by what is there no longer', async () => {
    await told({ ...clientKeys, ...proxyKeys });
    assert.equal(userOf(proxy, jane), 'jane');
    await told(clientKeys);
    assert.equal(userOf(proxy, jane), undefined);
    assert.equal(userOf(bob), 'bob');
    await told(proxyKeys);
    assert.equal(userOf(proxy, jane), 'jane');
    // Though bob's connection is still open.
    assert.equal(userOf(bob), undefined);
    await told(undefined);
    assert.equal(userOf(proxy, jane), undefined);
    assert.deepEqual(foreign.authoritiesPem, []);
    await told({ ...clientKeys, ...proxyKeys });
    assert.equal(userOf(proxy, jane), 'jane');
    assert.equal(userOf(bob), 'bob');
  });

  it('keeps what it has when one of the authorities cannot be read', async () => {
    const asBefore = foreign.authoritiesPem;
    host.set({
      ...{ 'client-ca-file': front.ca.certificatePem, ...proxyKeys },
      'requestheader-client-ca-file': 'x',
    });
    await until('the watch was given up', () => !host.isWatched);
    assert.equal(userOf(bob), 'bob');
    assert.equal(userOf(proxy, jane), 'jane');
    assert.deepEqual(foreign.authoritiesPem, asBefore);
  });
});
