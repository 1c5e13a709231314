import type { TLSSocket } from 'node:tls';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { EtcdServer, limitFlags } from '../harness/etcd-server.ts';
import { type LoneServer, startLoneServer } from '../harness/lone-server.ts';
import { type RawAnswer, RawHttp, type RawRequest } from '../harness/raw-http.ts';
import { RealEdge } from '../harness/real-edge.ts';
import { until } from '../harness/until.ts';

export interface BothAnswers {
  readonly oracle: RawAnswer;
  readonly ours: RawAnswer;
}

export type Side = 'oracle' | 'ours';

/** The namespace that the cases write in. */
export const namespace = 'oracle';

const workspace = 'oracle';
const workspaces = { group: 'tenancy.kcp.io', version: 'v1alpha1', resource: 'workspaces' } as const;
const serviceRange = '10.0.0.0/16';

/** Of either server, beside those that make the two alike. */
export interface MoreFlags {
  readonly oracle: readonly string[];
  readonly ours: readonly string[];
}

/** A kube-apiserver and a workspace, asked the same as administrators of each. */
export class Pair implements AsyncDisposable {
  readonly #oracle: RealEdge;
  readonly #oracleRaw: RawHttp;
  readonly #ours: LoneServer;
  /** Ours, when it keeps its data in one. */
  readonly #etcd: EtcdServer | undefined;
  /** Without the administrators' certificates. */
  readonly #bare: { readonly [side in Side]: RawHttp };

  private constructor(oracle: RealEdge, ours: LoneServer, etcd: EtcdServer | undefined) {
    this.#oracle = oracle;
    this.#oracleRaw = new RawHttp(oracle.connection);
    this.#ours = ours;
    this.#etcd = etcd;
    this.#bare = { oracle: bareTo(oracle.connection), ours: bareTo(ours.connection) };
  }

  /** `storage`: what ours keeps its data in; of an etcd it can be made to forget. */
  static async start(
    binary: string,
    storage: 'memory' | 'etcd' = 'memory',
    more: MoreFlags = { oracle: [], ours: [] },
  ): Promise<Pair> {
    // As docs/kubernetes-contract.md has it under Differences: every version is served, privileged containers are
    // taken, claims and volumes have no finalizers for their protection.
    const flags = [
      '--runtime-config=api/all=true',
      '--allow-privileged=true',
      '--disable-admission-plugins=StorageObjectInUseProtection',
      ...more.oracle,
    ];
    const etcd = storage === 'etcd' ? await EtcdServer.start({ flags: limitFlags }) : undefined;
    const ours = await startLoneServer([
      ...(etcd === undefined
        ? ['--storage', 'memory']
        : ['--storage', 'etcd', '--etcd-servers', etcd.endpoint]),
      ...['--service-cluster-ip-range', serviceRange],
      ...['--service-account-issuer', 'https://kubernetes.default.svc'],
      ...more.ours,
    ]);
    let oracle: RealEdge;
    try {
      oracle = await RealEdge.start(binary, flags);
    } catch (error) {
      await disposeAll(ours, () => etcd?.dispose());
      throw error;
    }
    const pair = new Pair(oracle, ours, etcd);
    try {
      await pair.#prepare();
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
    return pair;
  }

  /** Starts both anew, on stores that know the newest state alone. */
  async forget(): Promise<void> {
    await this.#oracle.forget();
    await this.#ours.restart(() => this.#etcd?.compact() ?? Promise.resolve());
  }

  /** A connection as the administrator, on which nothing has been sent. */
  connect(side: Side): Promise<TLSSocket> {
    return (side === 'oracle' ? this.#oracleRaw : this.#ours.raw).connect();
  }

  /** Paths are a kube-apiserver's, from the root. */
  async send(request: RawRequest): Promise<BothAnswers> {
    const [oracle, ours] = await Promise.all([this.askOracle(request), this.askOurs(request)]);
    return { oracle, ours };
  }

  ask(side: Side, request: RawRequest): Promise<RawAnswer> {
    return side === 'oracle' ? this.askOracle(request) : this.askOurs(request);
  }

  /** Where to open a watch at one of the two. */
  watchOf(side: Side, request: RawRequest): readonly [ServerConnection, RawRequest] {
    return side === 'oracle'
      ? [this.#oracle.connection, request]
      : [this.#ours.connection, { ...request, path: pathAtOurs(request.path) }];
  }

  /** Who shows an `authorization` is nobody else. */
  askOracle(request: RawRequest): Promise<RawAnswer> {
    return (isBare(request) ? this.#bare.oracle : this.#oracleRaw).send(request);
  }

  askOurs(request: RawRequest): Promise<RawAnswer> {
    const raw = isBare(request) ? this.#bare.ours : this.#ours.raw;
    return raw.send({ ...request, path: pathAtOurs(request.path) });
  }

  /** The namespace, with what kube-controller-manager would give it: pods are refused without an account. */
  async #prepare(): Promise<void> {
    await this.#ours.admin.create(
      { cluster: 'root', gvr: workspaces },
      { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'Workspace', metadata: { name: workspace } },
    );
    await until('the workspace is ready', async () => {
      const found = await this.#ours.admin.get({ cluster: 'root', gvr: workspaces, name: workspace });
      return (found['status'] as { phase?: string } | undefined)?.phase === 'Ready';
    });
    const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    await this.send({ path: '/api/v1/namespaces', body: JSON.stringify(made) });
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await this.askOracle({ path: accounts, body: JSON.stringify(account) });
    const authority = `/api/v1/namespaces/${namespace}/configmaps/kube-root-ca.crt`;
    await until('both have the default account, ours an authority', async () => {
      const { oracle, ours } = await this.send({ path: `${accounts}/default` });
      return (
        oracle.status === 200 &&
        ours.status === 200 &&
        (await this.askOurs({ path: authority })).status === 200
      );
    });
    const { json } = await this.askOurs({ path: authority });
    const { metadata, data } = json as { metadata: JsonObject; data: JsonObject };
    const [written] = metadata['managedFields'] as unknown as readonly { manager: string }[];
    const { ['kcp.io/cluster']: _, ...annotations } = metadata['annotations'] as JsonObject;
    const copy = {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', data },
      metadata: { name: 'kube-root-ca.crt', annotations },
    };
    await this.askOracle({
      path: `/api/v1/namespaces/${namespace}/configmaps?fieldManager=${written?.manager ?? ''}`,
      body: JSON.stringify(copy),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { oracle, ours } = this.#bare;
    const clients = [this.#oracleRaw, oracle, ours].map((raw) => () => raw.close());
    await disposeAll(...clients, this.#oracle, this.#ours, () => this.#etcd?.dispose());
  }
}

function isBare({ headers }: RawRequest): boolean {
  return headers?.['authorization'] !== undefined;
}

function bareTo({ server, caPem, tlsServerName }: ServerConnection): RawHttp {
  return new RawHttp({ server, caPem, tlsServerName });
}

export function pathAtOurs(path: string): string {
  return `/clusters/root:${workspace}${path}`;
}
