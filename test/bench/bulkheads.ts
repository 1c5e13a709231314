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
import { atRest } from './cpu-times.ts';
import { startEdgeFarm } from './edge-farm-process.ts';
import { turnMark } from './paced-job.ts';
import { type PacedLoad, pacedName, pacedNameOf, startPacedLoad } from './paced-load.ts';
import { type ProgressOptions, reached, told } from './progress.ts';
import type { SickAnswer, SickOrder } from './sick-order.ts';
import { percentile, type Row, row } from './table.ts';

const sicknesses: readonly Sickness[] = [
  'hanging',
  'errors',
  'slow',
  'resetting',
  'flooding',
  'huge',
  'lying',
  'full',
];
const seconds = 10;
/** Probes come each ten seconds, trials of an open breaker each fifteen; a busy machine takes several times as long. */
const recovery: ProgressOptions = { stallMs: 240_000, everyMs: 100 };
const project = 'root:bench:shop';
const userAgent = 'cellplane-bench';

/**
 * From a project's write to the edge with 100 cells on one federator: all well, then with eight of them ill in eight ways.
 * `pairs`: quiet and troubled runs in turn; the median of their ratios counts. Edges are thin and share a process (decision
 * 123), which tells when each object is stored; load and sick edges have processes of their own: their CPU time must not be that
 * of the process which takes the times. 100 cells and five pairs take about six minutes; each wait ends four minutes after the
 * last progress.
 */
export async function benchBulkheads(
  cells: number,
  { pairs, perSecond }: { readonly pairs: number; readonly perSecond: number },
): Promise<Row[]> {
  await using world = await World.start(cells, perSecond);
  await world.load();
  const ratios: number[] = [];
  const added: number[] = [];
  const quiets: number[] = [];
  const troubles: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    told(`pair ${pair + 1} of ${pairs}`);
    await world.recover();
    const quiet = percentile(await world.load(), 0.99);
    await world.sicken();
    const troubled = percentile(await world.load(), 0.99);
    quiets.push(quiet);
    troubles.push(troubled);
    told(`p99 ${quiet.toFixed(1)} ms, with sick edges ${troubled.toFixed(1)} ms`);
    ratios.push(troubled / quiet);
    added.push(troubled - quiet);
  }
  const median = (values: number[]) =>
    percentile(
      [...values].sort((a, b) => a - b),
      0.5,
    );
  const name = `project write→edge, ${cells} cells, ${perSecond}/s`;
  return [
    row(`${name}, all well`, median(quiets), 'ms', `p99, median of ${pairs}`),
    row(`${name}, ${world.sickCount} ill`, median(troubles), 'ms', `p99 of the healthy, median of ${pairs}`),
    row(
      '  ill against well',
      median(ratios),
      'times',
      `p99; goal 1.15, or 5 ms: ${median(added).toFixed(1)} ms`,
    ),
  ];
}

class World implements AsyncDisposable {
  readonly #cleanUps: (() => unknown)[] = [];
  readonly #processes = new Map<string, number>();
  /** When each object was seen at its edge. */
  readonly #arrivedAtMs = new Map<string, number>();
  #sickFarm!: ChildProcess;
  #load!: PacedLoad;
  #admin!: RemoteClient;
  readonly #perSecond: number;
  #cells = 0;
  #healthy = 0;
  #sent = 0;

  private constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  static async start(cells: number, perSecond: number): Promise<World> {
    const world = new World(perSecond);
    try {
      await world.#start(cells);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get sickCount(): number {
    return this.#cells - this.#healthy;
  }

  /** Resolves when each sick edge has been asked something since it fell ill. */
  async sicken(): Promise<void> {
    await this.#tellSick({ sicknesses });
    const asked = async () => (await this.#tellSick({})).requests?.filter((count) => count > 0).length ?? 0;
    await reached('sick edges that were asked', asked, this.sickCount, recovery);
  }

  /** Cures all; resolves when they have what came while they were ill, and nothing goes on any more. */
  async recover(): Promise<void> {
    await this.#tellSick({ sicknesses: [] });
    await reached('objects at edges, the cured too', () => this.#arrivedAtMs.size, this.#sent, recovery);
    await atRest(this.#processes);
  }

  /** Writes at a steady rate, to all cells in turn; how long those to the healthy ones took, sorted. */
  async load(): Promise<number[]> {
    const from = this.#sent;
    const perSecond = this.#perSecond;
    const count = perSecond * seconds;
    this.#sent += count;
    await this.#load.connect();
    const { sentAtMs } = await this.#load.run({ from, count, perSecond });
    const healthy = sentAtMs.flatMap((ms, offset) =>
      (from + offset) % this.#cells < this.#healthy ? [{ ms, name: pacedNameOf(from + offset) }] : [],
    );
    const there = () => healthy.filter(({ name }) => this.#arrivedAtMs.has(name)).length;
    await reached('objects at healthy edges', there, healthy.length, { everyMs: 100 });
    return healthy.map(({ ms, name }) => (this.#arrivedAtMs.get(name) ?? 0) - ms).sort((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }

  async #start(cells: number): Promise<void> {
    const folder = await temporaryFolder();
    this.#cleanUps.push(() => folder[Symbol.asyncDispose]());
    const federation = await this.#serve(path.join(folder.path, 'federation'));
    this.#admin = this.#client(federation.connection);
    await this.#makeProject(cells);
    const sickCount = Math.min(sicknesses.length, Math.floor(cells / 2));
    this.#cells = cells;
    this.#healthy = cells - sickCount;
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
    const sick = await this.#tellSick({ start: { pkiDirectory, targets: targets.slice(this.#healthy) } });
    const connections = [...targets.slice(0, this.#healthy), ...(sick.connections ?? [])];
    for (const [index, connection] of connections.entries())
      await this.#makeCell(cellName(index), connection);
    await this.#component(federation, folder.path, 'scheduler', ['scheduler', '--no-leader-elect'], {
      name: schedulerUserName,
      groups: [schedulerGroup],
    });
    await this.#component(federation, folder.path, 'federator', ['federator', '--name', 'f'], {
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
