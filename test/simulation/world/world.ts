import { cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath, federationGroup, federationVersion } from '#api/federation/group.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  federatorGroup,
  federatorUserPrefix,
  schedulerGroup,
  schedulerUserName,
} from '#apiserver/authz/components.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import { allAuthenticated, systemMasters, type UserInfo } from '#apiserver/request/user.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import type { ClientStore } from '#client/store-client.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import type { Random } from '../../harness/random.ts';
import { until } from '../../harness/until.ts';
import { SimulatedLanes } from './lanes.ts';
import { leaseLine, SchedulerLeases } from './leases.ts';
import { peopleName, schedulerName } from './names.ts';
import { SimulatedNetwork } from './network.ts';
import type { Plane } from './plane.ts';
import { SimulatedProcess } from './process.ts';
import { SimulatedServer } from './server.ts';
import { ServerGroup } from './server-group.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface WorldOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly pki: ServerPki;
  readonly cells: readonly string[];
  readonly federators: readonly string[];
  readonly projects: readonly string[];
  readonly namespaces: readonly string[];
  /** Projects of a second control plane, with a cell of its own, that the same scheduler and federators serve; absent: there is none. */
  readonly neighbour?:
    | { readonly projects: readonly string[]; readonly namespaces: readonly string[] }
    | undefined;
  /** How many schedulers there are, and what they know of one another by. Default: alone. */
  readonly schedulers?: Schedulers | undefined;
  /** How many API servers the first control plane has. Default 1. */
  readonly servers?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** One behind its lease; a second one that stands by behind the same; two that share the projects by lanes. */
export type Schedulers = 'alone' | 'standby' | 'lanes';

/** A second control plane. */
export interface NeighbouringPlane {
  readonly federation: SimulatedServer;
  readonly cell: string;
  readonly edge: SimulatedServer;
}

/** A part of the world that can be struck. */
export interface Part {
  readonly name: string;
  readonly process: SimulatedProcess | undefined;
  start(): Promise<void>;
  kill(): void;
}

const credentialsNamespace = 'cell-credentials';
export const federationName = 'federation';
const neighbourName = 'neighbour';
const neighboursCell = 'next-cell';
const namespacesGvr = { group: '', version: 'v1', resource: 'namespaces' } as const;
const secretsGvr = { group: '', version: 'v1', resource: 'secrets' } as const;

/**
 * A federation API server, a scheduler, federators and edges as they are, in virtual time and over a simulated network.
 * Nothing in it outlives the run of its VirtualTime.
 */
export class World {
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly federation: Plane;
  readonly edges = new Map<string, SimulatedServer>();
  readonly neighbour: NeighbouringPlane | undefined;
  readonly schedulers: readonly string[];
  readonly federators: readonly string[];
  /** By what several schedulers share the projects; undefined where one works. */
  readonly lanes: SimulatedLanes | undefined;
  /** Where there are no lanes. */
  readonly leases: SchedulerLeases | undefined;
  /** Everything that can be killed and started, servers among it. */
  readonly parts: readonly Part[];
  /** What each edge accepts for the federation now. */
  readonly tokens = new Map<string, Set<string>>();
  /** Cells that somebody has given a deletion budget: what went within it counts towards a later one with a longer window. */
  readonly bounded = new Set<string>();
  /** People and their tools: never killed. */
  readonly people: SimulatedProcess;
  readonly #logger: Logger;

  private constructor(options: WorldOptions) {
    const { time, random, pki, cells, federators } = options;
    this.#logger = options.logger ?? silentLogger;
    this.time = time;
    this.network = new SimulatedNetwork(time, random.fork());
    this.people = new SimulatedProcess(peopleName, time);
    const server = (name: string, mode: 'federation' | 'edge') =>
      new SimulatedServer({ name, mode, pki, time, random: random.fork(), logger: this.#logger });
    const { servers = 1 } = options;
    this.federation =
      servers === 1
        ? server(federationName, 'federation')
        : new ServerGroup(
            {
              name: federationName,
              mode: 'federation',
              pki,
              time,
              random: random.fork(),
              logger: this.#logger,
            },
            servers,
          );
    this.network.join(
      federationName,
      this.federation.servers.map(({ name }) => name),
    );
    for (const cell of cells) {
      this.edges.set(cell, server(cell, 'edge'));
      this.tokens.set(cell, new Set([cell]));
    }
    if (options.neighbour !== undefined) {
      const federation = server(neighbourName, 'federation');
      this.neighbour = { federation, cell: neighboursCell, edge: server(neighboursCell, 'edge') };
    }
    this.federators = federators;
    const { schedulers = 'alone' } = options;
    this.schedulers = schedulers === 'alone' ? [schedulerName] : [schedulerName, `${schedulerName}-b`];
    this.lanes = schedulers === 'lanes' ? new SimulatedLanes(time, random.fork(), this.network) : undefined;
    this.leases = this.lanes === undefined ? new SchedulerLeases(time, random.fork()) : undefined;
    this.parts = [
      ...this.federations.flatMap(({ servers }) => servers),
      ...this.edges.values(),
      ...(this.neighbour === undefined ? [] : [this.neighbour.edge]),
      ...this.schedulers.map((name) => this.#component(name, (process) => this.#runScheduler(process))),
      ...federators.map((name) => this.#component(name, (process) => this.#runFederator(process))),
    ];
  }

  /** Everything started, cells and projects made. */
  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    await world.federation.start();
    await Promise.all([...world.edges.values()].map((edge) => edge.start()));
    await makeCells(world.federation, options.cells);
    for (const project of options.projects) await makeProject(world.federation, project, options.namespaces);
    const { neighbour } = world;
    if (neighbour !== undefined && options.neighbour !== undefined) {
      await Promise.all([neighbour.federation.start(), neighbour.edge.start()]);
      await makeCells(neighbour.federation, [neighbour.cell]);
      const { projects, namespaces } = options.neighbour;
      for (const project of projects) await makeProject(neighbour.federation, project, namespaces);
    }
    for (const part of world.parts) await part.start();
    return world;
  }

  /** The API servers that the scheduler and the federators serve. */
  get federations(): readonly Plane[] {
    return this.neighbour === undefined ? [this.federation] : [this.federation, this.neighbour.federation];
  }

  part(name: string): Part {
    const part = this.parts.find((one) => one.name === name);
    if (part === undefined) throw new RangeError(`no part ${name}`);
    return part;
  }

  edge(cell: string): SimulatedServer {
    const edge = this.edges.get(cell);
    if (edge === undefined) throw new RangeError(`no edge ${cell}`);
    return edge;
  }

  /** Over the network, faults and all; `cluster` for refs that name none. */
  peopleAt(server: Plane, cluster?: string): KubeClient {
    const client = this.network.connect(this.people, server, userOf(peopleName, systemMasters));
    return cluster === undefined ? client : inWorkspace(client, cluster);
  }

  /** Likewise at the first control plane, for whoever judges what each answer says; `user`: not its administrator. */
  literalClient(user?: string): KubeClient {
    const as = user === undefined ? userOf(peopleName, systemMasters) : userOf(user);
    return this.network.connect(this.people, this.federation, as, { isLiteral: true });
  }

  /** Past the network: for looking. */
  lookAt(server: Plane, cluster?: string): KubeClient {
    return cluster === undefined ? server.admin : inWorkspace(server.admin, cluster);
  }

  #component(name: string, run: (process: SimulatedProcess) => void): Part {
    const { time } = this;
    let running: SimulatedProcess | undefined;
    return {
      name,
      get process() {
        return running;
      },
      start: async () => {
        if (running !== undefined) return;
        running = new SimulatedProcess(name, time);
        run(running);
      },
      kill: () => {
        running?.kill();
        running = undefined;
      },
    };
  }

  #runScheduler(process: SimulatedProcess): void {
    const user = userOf(schedulerUserName, schedulerGroup);
    for (const federation of this.federations) {
      const clientOf = (store?: ClientStore) =>
        this.network.connect(process, federation, user, { batches: true, store });
      const { clock } = process;
      const leaseClient = this.network.connect(process, federation, user, { line: leaseLine(process.name) });
      const scheduler = createScheduler({
        client: clientOf(),
        clientOf,
        clock,
        logger: this.#logger,
        emptyNamespaceMs: 5_000,
        sharing: () => this.#sharingOf(process, federation, leaseClient),
      });
      scheduler.start(new AbortController().signal).catch(() => {}); // it waits for the server by itself
    }
  }

  #sharingOf(process: SimulatedProcess, federation: Plane, leaseClient: KubeClient): WorkSharing {
    if (this.lanes !== undefined) return this.lanes.sharingOf(process, this.#logger);
    if (this.leases === undefined) throw new Error('there are lanes or leases');
    return this.leases.sharingOf(process, federation, leaseClient, this.#logger);
  }

  #runFederator(process: SimulatedProcess): void {
    const { name, clock } = process;
    const user = userOf(`${federatorUserPrefix}${name}`, federatorGroup);
    for (const federation of this.federations) {
      const federator = new FederatorProcess({
        name,
        federationClient: this.network.connect(process, federation, user, { batches: true }),
        connectEdge: ({ server, token = '' }) => this.#connectEdge(process, server, token),
        clock,
        logger: this.#logger,
        version: 'simulated',
      });
      federator.start(new AbortController().signal).catch(() => {}); // it waits for the server by itself
    }
  }

  #connectEdge(process: SimulatedProcess, url: string, token: string): KubeClient {
    const name = new URL(url).hostname.split('.')[0] ?? '';
    const user = userOf('federation', systemMasters);
    if (name === this.neighbour?.cell) return this.network.connect(process, this.neighbour.edge, user);
    const isAccepted = () => this.tokens.get(name)?.has(token) === true;
    return this.network.connect(process, this.edge(name), user, { isAccepted });
  }
}

async function makeCells({ admin }: Plane, cells: readonly string[]): Promise<void> {
  await admin.create(
    { cluster: cellsWorkspacePath, gvr: namespacesGvr },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: credentialsNamespace } },
  );
  for (const name of cells) {
    await admin.create(
      { cluster: cellsWorkspacePath, gvr: secretsGvr, namespace: credentialsNamespace },
      credentialsOf(name, name),
    );
    await admin.create({ cluster: cellsWorkspacePath, gvr: cellsGvr }, cellOf(name, name));
  }
}

async function makeProject({ admin }: Plane, path: string, namespaces: readonly string[]): Promise<void> {
  const at = path.lastIndexOf(':');
  const parent = path.slice(0, at);
  await admin.create(
    { cluster: parent, gvr: workspacesGvr },
    {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: path.slice(at + 1) },
      spec: { type: { name: 'project', path: 'root' } },
    },
  );
  await until(`${path} is ready`, async () => {
    const ref = { cluster: parent, gvr: workspacesGvr, name: path.slice(at + 1) };
    const { status } = (await admin.get(ref)) as { status?: { phase?: string } };
    return status?.phase === 'Ready';
  });
  for (const name of namespaces) {
    await admin.create(
      { cluster: path, gvr: namespacesGvr },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    );
  }
}

/** Where the Secret lies that `credentialsOf` is. */
export function credentialsRef(name: string): ObjectRef {
  return { cluster: cellsWorkspacePath, gvr: secretsGvr, namespace: credentialsNamespace, name };
}

/** A cell's Secret. */
export function credentialsOf(name: string, token: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: credentialsNamespace },
    data: { token: Buffer.from(token).toString('base64') },
  };
}

/** A Cell of that edge, with the Secret of the edge's name. */
export function cellOf(name: string, edge: string): KubeObject {
  return {
    apiVersion: `${federationGroup}/${federationVersion}`,
    kind: 'Cell',
    metadata: { name },
    spec: {
      apiEndpoint: `https://${edge}.edge.example`,
      secretRef: { namespace: credentialsNamespace, name: edge },
    },
  };
}

function userOf(name: string, ...groups: string[]): UserInfo {
  return { name, groups: [...groups, allAuthenticated], extra: new Map() };
}

/** The client with a workspace for refs that name none, as a kubeconfig's context is. */
function inWorkspace(client: KubeClient, cluster: string): KubeClient {
  const at = <R extends { readonly cluster: string | undefined }>(ref: R): R =>
    ref.cluster === undefined ? { ...ref, cluster } : ref;
  return {
    get: (ref, options) => client.get(at(ref), options),
    list: (collection, options) => client.list(at(collection), options),
    watch: (collection, options) => client.watch(at(collection), options),
    create: (collection, object, options) => client.create(at(collection), object, options),
    update: (ref, object, options) => client.update(at(ref), object, options),
    patch: (ref, patch, options) => client.patch(at(ref), patch, options),
    apply: (ref, object, options) => client.apply(at(ref), object, options),
    delete: (ref, options) => client.delete(at(ref), options),
    deleteCollection: (collection, options) => client.deleteCollection(at(collection), options),
    raw: (request, options) => client.raw(at(request), options),
    close: () => client.close(),
  };
}
