import { type Cell, type CellSpec, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath, federationGroup, federationVersion } from '#api/federation/group.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  federatorGroup,
  federatorUserPrefix,
  schedulerGroup,
  schedulerUserName,
} from '#apiserver/authz/components.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { KubeClient } from '#client/client.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { CellLimits } from '#federator/cell/cell-limits.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import type { Scheduler, SchedulerOptions } from '#scheduler/scheduler-options.ts';
import { disposeAll } from './dispose-all.ts';
import { InProcessServer } from './in-process-server.ts';
import { patient } from './patient.ts';
import { RequestTap } from './request-tap.ts';
import { TcpGate } from './tcp-gate.ts';
import { adminConnectionTo, connectionAs, createTestPki } from './test-pki.ts';

export interface ConstellationOptions {
  /** Each gets an edge API server and a Cell of its name. */
  readonly cells?: readonly string[] | undefined;
  /** Default: one, `federator-a`. */
  readonly federators?: readonly string[] | undefined;
  /** Default true. Without it, tests write copies into cell workspaces themselves. */
  readonly scheduler?: boolean | undefined;
  readonly storage?: 'memory' | 'level' | undefined;
  readonly leaseDurationMs?: number | undefined;
  readonly cellLimits?: Partial<CellLimits> | undefined;
  /** Of every Cell that is made, beside where it lies. */
  readonly cellSpec?: CellSpec | undefined;
  readonly schedulerOptions?: Partial<SchedulerOptions> | undefined;
  readonly logger?: Logger | undefined;
}

/** One edge of the constellation: its API server, and the line to it that federators use. */
export interface TestEdge extends AsyncDisposable {
  readonly name: string;
  readonly server: InProcessServer;
  readonly gate: TcpGate;
  /** The edge's administrator, not through the gate. */
  readonly client: KubeClient;
  /** As a Cell and its Secret name it: through the gate. */
  readonly connection: ServerConnection;
}

/** A federator of the constellation, which can be started again after its end as a new process would. */
export interface TestFederator {
  readonly name: string;
  /** What it asks of edges. */
  readonly edgeTap: RequestTap;
  /** What it asks of the federation API server. */
  readonly federationTap: RequestTap;
  readonly process: FederatorProcess | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Its Lease is not given up, as when the process is killed; open calls are cut. */
  kill(): Promise<void>;
}

export const credentialsNamespace = 'cell-credentials';
const userAgent = 'cellplane-test';

/**
 * A federation API server, a scheduler, federators and edges in this one process, over loopback sockets, as the parts
 * of a real one. Everything can be stopped and started again; disposing leaves no timer, socket or file.
 */
export class Constellation implements AsyncDisposable {
  readonly server: InProcessServer;
  readonly edges = new Map<string, TestEdge>();
  readonly federators = new Map<string, TestFederator>();
  readonly pki: ServerPki;
  readonly logger: Logger;
  readonly #options: ConstellationOptions;
  readonly #cleanUps: (() => Promise<void>)[] = [];
  #admin: RemoteClient | undefined;
  #scheduler: { readonly scheduler: Scheduler; readonly client: KubeClient } | undefined;

  private constructor(pki: ServerPki, options: ConstellationOptions) {
    this.pki = pki;
    this.#options = options;
    this.logger = options.logger ?? silentLogger;
    this.server = new InProcessServer({
      mode: 'federation',
      pki,
      logger: this.logger,
      storage: options.storage,
    });
  }

  static async start(options: ConstellationOptions = {}): Promise<Constellation> {
    const constellation = new Constellation(await createTestPki(), options);
    try {
      await constellation.server.start();
      for (const name of options.cells ?? ['cell-a']) {
        await constellation.addEdge(name);
        await constellation.addCell(name);
      }
      if (options.scheduler !== false) await constellation.startScheduler();
      for (const name of options.federators ?? ['federator-a']) {
        await constellation.addFederator(name).start();
      }
      return constellation;
    } catch (error) {
      await constellation[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The platform's administrator at the federation API server; refs name workspaces. */
  get admin(): KubeClient {
    this.#admin ??= new RemoteClient(adminConnectionTo(this.pki, this.server.url), {
      userAgent,
      limits: patient,
    });
    return this.#admin;
  }

  edge(name = 'cell-a'): TestEdge {
    const edge = this.edges.get(name);
    if (edge === undefined) throw new RangeError(`no edge ${name}`);
    return edge;
  }

  federator(name = 'federator-a'): TestFederator {
    const federator = this.federators.get(name);
    if (federator === undefined) throw new RangeError(`no federator ${name}`);
    return federator;
  }

  async addEdge(name: string, pki = this.pki): Promise<TestEdge> {
    const server = new InProcessServer({ mode: 'edge', pki, logger: this.logger });
    await server.start();
    const gate = new TcpGate({ host: '127.0.0.1', port: server.port });
    await gate.start();
    const client = new RemoteClient(adminConnectionTo(pki, server.url), { userAgent, limits: patient });
    const edge: TestEdge = {
      name,
      server,
      gate,
      client,
      connection: adminConnectionTo(pki, `https://127.0.0.1:${gate.port}`),
      [Symbol.asyncDispose]: () =>
        disposeAll(
          () => client.close(),
          () => gate.stop(),
          () => server.dispose(),
        ),
    };
    this.edges.set(name, edge);
    return edge;
  }

  /** Registers a cell with its credentials. `connection`: default that of the edge of its name. */
  async addCell(name: string, spec: CellSpec = {}, connection = this.edge(name).connection): Promise<Cell> {
    await this.putCredentials(name, connection);
    return (await this.admin.create(
      { cluster: cellsWorkspacePath, gvr: cellsGvr },
      {
        apiVersion: `${federationGroup}/${federationVersion}`,
        kind: 'Cell',
        metadata: { name },
        spec: {
          apiEndpoint: connection.server,
          secretRef: { namespace: credentialsNamespace, name },
          ...this.#options.cellSpec,
          ...spec,
        },
      },
    )) as Cell;
  }

  /** Writes a cell's Secret, or what it says now. */
  async putCredentials(name: string, connection: ServerConnection): Promise<void> {
    await this.ensure(() =>
      this.admin.create(
        { cluster: cellsWorkspacePath, gvr: { group: '', version: 'v1', resource: 'namespaces' } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: credentialsNamespace } },
      ),
    );
    const entries = Object.entries({
      caBundle: connection.caPem,
      'tls.crt': connection.certificatePem,
      'tls.key': connection.keyPem,
      token: connection.token,
    }).flatMap(([key, text]) =>
      text === undefined ? [] : [[key, Buffer.from(text, 'utf8').toString('base64')]],
    );
    await this.admin.apply(
      {
        cluster: cellsWorkspacePath,
        gvr: { group: '', version: 'v1', resource: 'secrets' },
        namespace: credentialsNamespace,
        name,
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace: credentialsNamespace },
        type: 'Opaque',
        data: Object.fromEntries(entries),
      },
      { fieldManager: userAgent, force: true },
    );
  }

  async cell(name = 'cell-a'): Promise<Cell> {
    return (await this.admin.get({ cluster: cellsWorkspacePath, gvr: cellsGvr, name })) as Cell;
  }

  async patchCell(name: string, body: { metadata?: KubeObject['metadata']; spec?: CellSpec }): Promise<void> {
    await this.admin.patch({ cluster: cellsWorkspacePath, gvr: cellsGvr, name }, { type: 'merge', body });
  }

  /** Creates a project workspace with all above it, and a namespace in it. Returns its path. */
  async createProject(path: string, namespace = 'shop'): Promise<string> {
    const segments = path.split(':');
    for (let depth = 1; depth < segments.length; depth++) {
      const type = depth === segments.length - 1 ? 'project' : 'organization';
      await this.ensure(() =>
        this.admin.create(
          { cluster: segments.slice(0, depth).join(':'), gvr: workspacesGvr },
          {
            apiVersion: 'tenancy.kcp.io/v1alpha1',
            kind: 'Workspace',
            metadata: { name: segments[depth] ?? '' },
            spec: { type: { name: type, path: 'root' } },
          },
        ),
      );
    }
    await this.admin.create(
      { cluster: path, gvr: { group: '', version: 'v1', resource: 'namespaces' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    );
    return path;
  }

  addFederator(name: string): TestFederator {
    const edgeTap = new RequestTap();
    const federationTap = new RequestTap();
    const start = async () => {
      if (running !== undefined) return;
      const federationClient = new RemoteClient(
        connectionAs(this.pki, this.server.url, {
          name: `${federatorUserPrefix}${name}`,
          groups: [federatorGroup],
        }),
        { userAgent, batches: true, leanMetadata: true },
      );
      const process = new FederatorProcess({
        name,
        federationClient: federationTap.wrap(federationClient),
        connectEdge: (connection, limits) =>
          edgeTap.wrap(new RemoteClient(connection, { userAgent, limits })),
        clock: systemClock,
        logger: this.logger,
        version: 'test',
        leaseDurationMs: this.#options.leaseDurationMs ?? 2_000,
        cellLimits: this.#options.cellLimits,
      });
      const stopping = new AbortController();
      process.start(stopping.signal).catch(() => {}); // an API server that is away is waited for
      running = { process, federationClient, stopping };
    };
    let running:
      | { process: FederatorProcess; federationClient: KubeClient; stopping: AbortController }
      | undefined;
    const end = async (cut: boolean) => {
      const present = running;
      running = undefined;
      if (present === undefined) return;
      if (cut) await present.federationClient.close();
      present.stopping.abort();
      await present.process.stop();
      await present.federationClient.close();
    };
    const federator: TestFederator = {
      name,
      edgeTap,
      federationTap,
      get process() {
        return running?.process;
      },
      start,
      stop: () => end(false),
      kill: () => end(true),
    };
    this.federators.set(name, federator);
    return federator;
  }

  async startScheduler(): Promise<void> {
    if (this.#scheduler !== undefined) return;
    const client = new RemoteClient(
      connectionAs(this.pki, this.server.url, { name: schedulerUserName, groups: [schedulerGroup] }),
      { userAgent, batches: true, leanMetadata: true },
    );
    const scheduler = createScheduler({
      client,
      clock: systemClock,
      logger: this.logger,
      ...this.#options.schedulerOptions,
    });
    this.#scheduler = { scheduler, client };
    await scheduler.start(new AbortController().signal);
  }

  async stopScheduler(): Promise<void> {
    const present = this.#scheduler;
    this.#scheduler = undefined;
    await present?.scheduler.stop();
    await present?.client.close();
  }

  /** Runs the creation; that the object is there already is as good. */
  async ensure(create: () => Promise<unknown>): Promise<void> {
    try {
      await create();
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }

  /** Called at the end, before anything of the constellation is stopped. */
  onEnd(cleanUp: () => Promise<void>): void {
    this.#cleanUps.push(cleanUp);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(
      ...this.#cleanUps.splice(0),
      () => Promise.all(Array.from(this.federators.values(), (federator) => federator.stop())),
      () => this.stopScheduler(),
      () => Promise.all(Array.from(this.edges.values(), (edge) => edge[Symbol.asyncDispose]())),
      () => this.#admin?.close(),
      () => this.server.dispose(),
    );
  }
}
