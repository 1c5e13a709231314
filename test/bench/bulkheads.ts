import { type ChildProcess, fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import {
  federatorGroup,
  federatorUserPrefix,
  schedulerGroup,
  schedulerUserName,
} from '#apiserver/authz/components.ts';
import { ensurePki, type ServerPki } from '#apiserver/pki/pki.ts';
import { freePort } from '#cli/free-port.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from '../harness/processes.ts';
import type { Sickness } from '../harness/sick-edge.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { cpuRows, cpusOf, medianOf, type ProcessCpus, spentBetween } from './cpu-report.ts';
import { atRest } from './cpu-times.ts';
import { startEdgeFarm } from './edge-farm-process.ts';
import { turnMark } from './paced-job.ts';
import { type PacedLoad, pacedName, pacedNameOf, startPacedLoad } from './paced-load.ts';
import { type ProgressOptions, reached, told } from './progress.ts';
import type { SickAnswer, SickCounts, SickOrder } from './sick-order.ts';
import { median, percentile, type Row, row } from './table.ts';

/** The ninth and eighth are the two that issue and table name as one: answers that are huge, or lie. */
const sicknesses: readonly Sickness[] = [
  'hanging',
  'errors',
  'slow',
  'resetting',
  'flooding',
  'expired',
  'full',
  'huge',
  'lying',
];
const seconds = 10;
/** Probes come each ten seconds, trials of an open breaker each fifteen; a busy machine takes several times as long. */
const recovery: ProgressOptions = { stallMs: 240_000, everyMs: 100 };
const project = 'root:bench:shop';
const userAgent = 'cellplane-bench';

export interface BulkheadsOptions {
  /** Quiet and troubled runs in turn; the median of their ratios counts. */
  readonly pairs: number;
  readonly perSecond: number;
  /** What cells fall ill with, one each; absent, or `all`: everything. */
  readonly sick: readonly string[] | undefined;
  /** One cell ill at a time, and `pairs` pairs of each. */
  readonly apart: boolean;
}

interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What one run of the load took and brought. */
interface Run {
  /** From when each object was due to when a healthy edge had it, sorted. */
  readonly tookMs: readonly number[];
  readonly cpus: ProcessCpus;
  /** How late the federator's event loop was. */
  readonly loopDelay: LoopDelay;
  /** Of all sick edges together. */
  readonly sick: SickCounts;
}

/**
 * From a project's write to the edge with 100 cells on one federator: all well, then with nine of them ill in nine ways.
 * Edges are thin and share a process (decision 123), which tells when each object is stored; load and sick edges have
 * processes of their own, the latter at a low priority: their CPU time must not be that of those which are measured. Each
 * kind of run tells also what it took of each process, as CPU time for an object sent, Cellplane's apart from the others', how late the federator's event loop
 * was, and what the sick edges were asked: figures that hold on a busy machine too. 100 cells and five pairs take about six
 * minutes; each wait ends four minutes after the last progress.
 */
export async function benchBulkheads(cells: number, options: BulkheadsOptions): Promise<Row[]> {
  const { perSecond, apart } = options;
  const sick = sicknessesOf(options.sick).slice(0, Math.floor(cells / 2));
  await using world = await World.start(cells, perSecond, sick);
  await world.load();
  if (!apart) return await comparePairs(world, options, world.sick);
  const rows: Row[] = [];
  for (const one of world.sick) rows.push(...(await comparePairs(world, options, [one])));
  return rows;
}

function sicknessesOf(names: readonly string[] = ['all']): readonly Sickness[] {
  if (names.includes('all')) return sicknesses;
  return names.map((name) => {
    const sickness = sicknesses.find((one) => one === name);
    if (sickness === undefined) throw new RangeError(`no sickness ${name}: ${sicknesses.join(', ')}`);
    return sickness;
  });
}

async function comparePairs(
  world: World,
  { pairs, perSecond }: BulkheadsOptions,
  sick: readonly Sickness[],
): Promise<Row[]> {
  const quiets: Run[] = [];
  const troubles: Run[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    told(`${sick.join(', ')}: pair ${pair + 1} of ${pairs}`);
    const quiet = async () => {
      await world.recover();
      quiets.push(await world.load());
    };
    const trouble = async () => {
      await world.sicken(sick);
      troubles.push(await world.load());
    };
    // By turns: what a run finds grows with what the runs before it have made.
    for (const load of pair % 2 === 0 ? [quiet, trouble] : [trouble, quiet]) await load();
    const [well, ill] = [quiets, troubles].map((runs) => p99Of(runs.at(-1)).toFixed(1));
    told(`p99 ${well} ms, with sick edges ${ill} ms`);
  }
  const name = `project write→edge, ${world.cells} cells, ${perSecond}/s`;
  const who = sick.length === 1 ? `one ${sick[0]}` : `${sick.length} ill`;
  const ratios = troubles.map((run, pair) => p99Of(run) / p99Of(quiets[pair]));
  const added = troubles.map((run, pair) => p99Of(run) - p99Of(quiets[pair]));
  const goal = `p99; goal 1.15, or 5 ms: ${median(added).toFixed(1)} ms`;
  return [
    row(`${name}, all well`, median(quiets.map(p99Of)), 'ms', `p99, median of ${pairs}`),
    ...costRows(quiets, world.objectsOfRun),
    row(`${name}, ${who}`, median(troubles.map(p99Of)), 'ms', `p99 of the healthy, median of ${pairs}`),
    ...costRows(troubles, world.objectsOfRun),
    row('  ill against well', median(ratios), 'times', goal),
  ];
}

function costRows(runs: readonly Run[], objects: number): Row[] {
  const asked = (count: (counts: SickCounts) => number) => median(runs.map(({ sick }) => count(sick)));
  const sent = (asked(({ bytesSent }) => bytesSent) / 2 ** 20).toFixed(1);
  const requests = `${asked((counts) => counts.requests)} requests over ${asked((counts) => counts.connections)} connections`;
  const longest = median(runs.map(({ loopDelay }) => loopDelay.maxMs)).toFixed(1);
  return [
    ...cpuRows(medianOf(runs.map(({ cpus }) => cpus)), objects),
    row(
      "  the federator's event loop was late",
      median(runs.map(({ loopDelay }) => loopDelay.p99Ms)),
      'ms',
      `p99; at most ${longest} ms; edges that can be ill: ${requests}, ${sent} MiB`,
    ),
  ];
}

function p99Of(run: Run | undefined): number {
  return percentile(run?.tookMs ?? [], 0.99);
}

class World implements AsyncDisposable {
  readonly #cleanUps: (() => unknown)[] = [];
  readonly #processes = new Map<string, number>();
  /** When each object was seen at its edge. */
  readonly #arrivedAtMs = new Map<string, number>();
  #sickFarm!: ChildProcess;
  #load!: PacedLoad;
  #admin!: RemoteClient;
  readonly cells: number;
  /** What the last cells can fall ill with, each with one. */
  readonly sick: readonly Sickness[];
  readonly #perSecond: number;
  readonly #healthy: number;
  #metricsPort = 0;
  #sent = 0;

  private constructor(cells: number, perSecond: number, sick: readonly Sickness[]) {
    this.cells = cells;
    this.sick = sick;
    this.#perSecond = perSecond;
    this.#healthy = cells - sick.length;
  }

  static async start(cells: number, perSecond: number, sick: readonly Sickness[]): Promise<World> {
    const world = new World(cells, perSecond, sick);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get objectsOfRun(): number {
    return this.#perSecond * seconds;
  }

  /** Resolves when each sick edge has been tried since it fell ill. */
  async sicken(wanted: readonly Sickness[]): Promise<void> {
    const fallen = this.sick.map((sickness) => (wanted.includes(sickness) ? sickness : 'none'));
    await this.#tellSick({ sicknesses: fallen });
    const tried = async () => {
      const { counts = [] } = await this.#tellSick({});
      return counts.filter((one, index) => fallen[index] !== 'none' && one.connections > 0).length;
    };
    await reached('sick edges that were tried', tried, wanted.length, recovery);
  }

  /** Cures all; resolves when they have what came while they were ill, and nothing goes on any more. */
  async recover(): Promise<void> {
    const { counts = [] } = await this.#tellSick({});
    const asked = counts.map(
      ({ requests, connections }, index) => `${this.sick[index]} ${requests} over ${connections}`,
    );
    told(`requests since the last change, over new connections: ${asked.join('; ')}`);
    await this.#tellSick({ sicknesses: [] });
    await reached('objects at edges, the cured too', () => this.#arrivedAtMs.size, this.#sent, recovery);
    await atRest(this.#processes);
  }

  /** Writes at a steady rate, to all cells in turn, and waits until the healthy ones have what is theirs. */
  async load(): Promise<Run> {
    const from = this.#sent;
    const count = this.objectsOfRun;
    this.#sent += count;
    await this.#load.connect();
    const cpusBefore = await cpusOf(this.#processes);
    const { counts: before = [] } = await this.#tellSick({});
    await this.#loopDelay(); // the time before is over with the reading
    const { sentAtMs } = await this.#load.run({ from, count, perSecond: this.#perSecond });
    const healthy = sentAtMs.flatMap((ms, offset) =>
      (from + offset) % this.cells < this.#healthy ? [{ ms, name: pacedNameOf(from + offset) }] : [],
    );
    const there = () => healthy.filter(({ name }) => this.#arrivedAtMs.has(name)).length;
    await reached('objects at healthy edges', there, healthy.length, { everyMs: 100 });
    const loopDelay = await this.#loopDelay();
    const { counts = [] } = await this.#tellSick({});
    const cpus = spentBetween(cpusBefore, await cpusOf(this.#processes));
    const grown = (what: keyof SickCounts) =>
      counts.reduce((sum, one, index) => sum + one[what] - (before[index]?.[what] ?? 0), 0);
    return {
      tookMs: healthy.map(({ ms, name }) => (this.#arrivedAtMs.get(name) ?? 0) - ms).sort((a, b) => a - b),
      cpus,
      loopDelay,
      sick: {
        requests: grown('requests'),
        connections: grown('connections'),
        bytesSent: grown('bytesSent'),
      },
    };
  }

  /** How late the federator's event loop was since the last question. */
  async #loopDelay(): Promise<LoopDelay> {
    const answer = await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`);
    const text = await answer.text();
    const lateMs = (what: string) => {
      const seconds = new RegExp(`^nodejs_eventloop_delay_${what}_seconds ([\\d.e+-]+)$`, 'm').exec(
        text,
      )?.[1];
      // Node counts from the wanted interval of ten milliseconds on.
      return Math.max(0, Number(seconds) * 1_000 - 10);
    };
    return { p99Ms: lateMs('p99'), maxMs: lateMs('max') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }

  async #start(): Promise<void> {
    const { cells } = this;
    const folder = await temporaryFolder();
    this.#cleanUps.push(() => folder[Symbol.asyncDispose]());
    const federation = await this.#serve(path.join(folder.path, 'federation'));
    this.#admin = this.#client(federation.connection);
    await this.#makeProject(cells);
    const pkiDirectory = path.join(folder.path, 'edges-pki');
    await ensurePki({ directory: pkiDirectory, hosts: ['127.0.0.1'], now: new Date() });
    const farm = await startEdgeFarm(cells, 'thin', pkiDirectory);
    this.#cleanUps.push(() => farm.end());
    this.#processes.set('edges', farm.pid);
    farm.onArrival((name, atMs) => {
      if (name.startsWith('object-')) this.#arrivedAtMs.set(name, atMs);
    });
    const targets = farm.connections;
    this.#sickFarm = fork(path.resolve('test/bench/sick-farm.ts'), [], { execArgv: ['--import', 'tsx'] });
    this.#cleanUps.push(() => this.#sickFarm.connected && this.#sickFarm.disconnect());
    this.#processes.set('sick edges', this.#sickFarm.pid ?? 0);
    const sick = await this.#tellSick({ start: { pkiDirectory, targets: targets.slice(this.#healthy) } });
    const connections = [...targets.slice(0, this.#healthy), ...(sick.connections ?? [])];
    for (const [index, connection] of connections.entries())
      await this.#makeCell(cellName(index), connection);
    await this.#component(federation, folder.path, 'scheduler', ['scheduler', '--no-leader-elect'], {
      name: schedulerUserName,
      groups: [schedulerGroup],
    });
    this.#metricsPort = await freePort('127.0.0.1', 0, 'metrics');
    const metrics = ['--metrics-address', `:${this.#metricsPort}`];
    await this.#component(federation, folder.path, 'federator', ['federator', '--name', 'f', ...metrics], {
      name: `${federatorUserPrefix}f`,
      groups: [federatorGroup],
    });
    const ready = async () => {
      const { items } = await this.#admin.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
      return items.filter((cell) => JSON.stringify(cell['status'] ?? {}).includes('"EdgeReady"')).length;
    };
    await reached('cells that are ready', ready, cells, { everyMs: 500 });
    this.#load = await startPacedLoad(federation.connection, {
      path: `/clusters/${project}/api/v1/namespaces/default/configmaps`,
      body: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: pacedName, labels: { cell: turnMark } },
        data: { round: 'x' },
      }),
      turns: connections.map((_, index) => cellName(index)),
      connections: 32,
    });
    this.#cleanUps.push(() => this.#load.end());
    this.#processes.set('load generator', this.#load.pid);
  }

  /** The federation API server, and what proves who asks it. */
  async #serve(data: string): Promise<{ readonly connection: ServerConnection; readonly pki: ServerPki }> {
    await this.#run('federation', ['apiserver', '--data-dir', data, '--port', '0']);
    const pki = await ensurePki({ directory: path.join(data, 'pki'), hosts: [], now: new Date() });
    return { connection: await adminConnection(data), pki };
  }

  #tellSick(order: SickOrder): Promise<SickAnswer> {
    const farm = this.#sickFarm;
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the process of the sick edges ended'));
      farm.once('exit', ended);
      farm.once('message', (answer: SickAnswer) => {
        farm.off('exit', ended);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      farm.send(order);
    });
  }

  async #makeProject(cells: number): Promise<void> {
    await makeWorkspace(this.#admin, 'root', 'bench', 'organization');
    await makeWorkspace(this.#admin, 'root:bench', 'shop', 'project');
    for (let index = 0; index < cells; index++) {
      const cell = cellName(index);
      await this.#admin.create(
        {
          cluster: project,
          gvr: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' },
          namespace: 'default',
        },
        {
          apiVersion: 'policy.karmada.io/v1alpha1',
          kind: 'PropagationPolicy',
          metadata: { name: cell, namespace: 'default' },
          spec: {
            resourceSelectors: [
              { apiVersion: 'v1', kind: 'ConfigMap', labelSelector: { matchLabels: { cell } } },
            ],
            placement: { clusterAffinity: { clusterNames: [cell] } },
          },
        },
      );
    }
  }

  async #makeCell(name: string, connection: ServerConnection): Promise<void> {
    const base64 = (text = '') => Buffer.from(text).toString('base64');
    const namespace = 'default';
    const data = {
      caBundle: base64(connection.caPem),
      'tls.crt': base64(connection.certificatePem),
      'tls.key': base64(connection.keyPem),
    };
    const secrets = { group: '', version: 'v1', resource: 'secrets' };
    await this.#admin.create(
      { cluster: cellsWorkspacePath, gvr: secrets, namespace },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data },
    );
    await this.#admin.create(
      { cluster: cellsWorkspacePath, gvr: cellsGvr },
      {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'Cell',
        metadata: { name },
        spec: {
          apiEndpoint: connection.server,
          secretRef: { namespace, name },
          // Those that are ill stay in use: what they cost is measured, not how soon they are left.
          healthCheck: { intervalSeconds: 30, failureThreshold: 100 },
        },
      },
    );
  }

  async #component(
    { connection, pki }: { readonly connection: ServerConnection; readonly pki: ServerPki },
    folder: string,
    part: string,
    args: readonly string[],
    user: { readonly name: string; readonly groups: readonly string[] },
  ): Promise<void> {
    const file = path.join(folder, part);
    await writeFile(
      file,
      renderKubeconfig([{ name: 'root', connection: connectionAs(pki, connection.server, user) }], 'root'),
    );
    await this.#run(part, [...args, '--kubeconfig', file]);
  }

  async #run(name: string, args: readonly string[]): Promise<CellplaneProcess> {
    const process = await startCellplane([...args, '--log-level', 'error']);
    this.#processes.set(name, process.pid);
    this.#cleanUps.push(() => process.stop());
    return process;
  }

  #client(connection: ServerConnection): RemoteClient {
    const client = new RemoteClient(connection, { userAgent, limits: { connectionsMax: 64 } });
    this.#cleanUps.push(() => client.close());
    return client;
  }
}

/** As long as `turnMark`. */
function cellName(index: number): string {
  return `cell-${String(index).padStart(5, '0')}`;
}

async function makeWorkspace(admin: RemoteClient, parent: string, name: string, type: string): Promise<void> {
  await admin.create(
    { cluster: parent, gvr: workspacesGvr },
    {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name },
      spec: { type: { name: type, path: 'root' } },
    },
  );
}
