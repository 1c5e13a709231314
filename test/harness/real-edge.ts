import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeClient } from '#client/client.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { endWithThisProcess, killHard } from './child-process.ts';
import { disposeAll } from './dispose-all.ts';
import { EtcdServer } from './etcd-server.ts';
import { freePort } from './free-port.ts';
import { patient } from './patient.ts';
import { temporaryFolder } from './processes.ts';
import { RawHttp } from './raw-http.ts';
import { adminConnectionTo, createTestPki } from './test-pki.ts';
import { until } from './until.ts';

/** A request as kube-apiserver's audit log tells it. */
export interface AuditedRequest {
  readonly verb: string;
  readonly user: string;
  readonly resource: string;
  readonly name: string;
  readonly code: number;
}

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

/** A kube-apiserver as an edge, on an etcd of its own, without any controllers. */
export class RealEdge implements AsyncDisposable {
  readonly client: KubeClient;
  /** The administrator's, by a client certificate. */
  readonly connection: ServerConnection;
  readonly #binary: string;
  readonly #flags: readonly string[];
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>;
  readonly #etcd: EtcdServer;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(
    binary: string,
    flags: readonly string[],
    connection: ServerConnection,
    folder: Awaited<ReturnType<typeof temporaryFolder>>,
    etcd: EtcdServer,
  ) {
    this.#binary = binary;
    this.#flags = flags;
    this.connection = connection;
    this.#folder = folder;
    this.#etcd = etcd;
    this.client = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
  }

  /** Flags are further ones of kube-apiserver. Throws when it does not become ready. */
  static async start(binary: string, moreFlags: readonly string[] = []): Promise<RealEdge> {
    const folder = await temporaryFolder();
    const pki = await createTestPki();
    const at = (name: string) => path.join(folder.path, name);
    const files: readonly (readonly [string, string])[] = [
      ['ca.crt', pki.ca.certificatePem],
      ['server.crt', pki.serving.certificatePem],
      ['server.key', pki.serving.keyPem],
      ['account.key', pki.serviceAccountKey.export({ type: 'sec1', format: 'pem' }).toString()],
      ['audit.json', JSON.stringify(auditPolicy)],
      ['audit.log', ''],
    ];
    for (const [name, text] of files) await writeFile(at(name), text, { mode: 0o600 });
    const [etcd, port] = await Promise.all([EtcdServer.start(), freePort()]);
    const flags = [
      `--etcd-servers=${etcd.endpoint}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${folder.path}`,
      `--tls-cert-file=${at('server.crt')}`,
      `--tls-private-key-file=${at('server.key')}`,
      `--client-ca-file=${at('ca.crt')}`,
      `--service-account-key-file=${at('account.key')}`,
      `--service-account-signing-key-file=${at('account.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/16',
      '--endpoint-reconciler-type=none',
      `--audit-policy-file=${at('audit.json')}`,
      `--audit-log-path=${at('audit.log')}`,
      '--audit-log-mode=blocking',
      ...moreFlags,
    ];
    const connection = adminConnectionTo(pki, `https://127.0.0.1:${port}`);
    const edge = new RealEdge(binary, flags, connection, folder, etcd);
    try {
      await edge.resume();
    } catch (error) {
      await edge[Symbol.asyncDispose]();
      throw error;
    }
    return edge;
  }

  /** Starts the process, again after `kill`, on the same data. */
  async resume(): Promise<void> {
    const child = spawn(this.#binary, this.#flags, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
    this.#child = child;
    endWithThisProcess(child);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-10_000);
    });
    await until(
      'the kube-apiserver is ready',
      async () => {
        if (child.exitCode !== null) return true;
        const http = new RawHttp(this.connection);
        try {
          return (await http.send({ path: '/readyz' })).status === 200;
        } finally {
          http.close();
        }
      },
      { everyMs: 100 },
    );
    if (child.exitCode !== null) throw new Error(`kube-apiserver ended: ${this.#output}`);
  }

  /** `kill -9`; the data stays. */
  kill(): Promise<void> {
    return killHard(this.#child);
  }

  /** Keeps a copy of all its data, at rest. */
  async backUp(): Promise<void> {
    await this.#atRest(() => this.#etcd.backUp());
  }

  /** Puts its data back to the copy: revisions go back with it. */
  async putBack(): Promise<void> {
    await this.#atRest(() => this.#etcd.putBack());
  }

  /** Starts it anew on a store that knows the newest state alone: nothing older can be read or watched. */
  async forget(): Promise<void> {
    await this.kill();
    await this.#etcd.compact();
    await this.resume();
  }

  async #atRest(run: () => Promise<void>): Promise<void> {
    await this.kill();
    await this.#etcd.kill();
    await run();
    await this.#etcd.resume();
    await this.resume();
  }

  /** Every request so far that has been answered, in order. */
  async requests(): Promise<AuditedRequest[]> {
    const text = await readFile(path.join(this.#folder.path, 'audit.log'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => {
        const { verb, user, objectRef, responseStatus } = JSON.parse(line) as {
          verb: string;
          user: { username: string };
          objectRef?: { resource?: string; name?: string };
          responseStatus?: { code?: number };
        };
        return {
          verb,
          user: user.username,
          resource: objectRef?.resource ?? '',
          name: objectRef?.name ?? '',
          code: responseStatus?.code ?? 0,
        };
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(
      () => this.client.close(),
      () => this.kill(),
      () => this.#etcd.dispose(),
      this.#folder,
    );
  }
}
