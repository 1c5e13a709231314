import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
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
import { clusterAnnotation } from '#client/informer.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from '../harness/processes.ts';
import { SickEdge, type Sickness } from '../harness/sick-edge.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';
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
const perSecond = 100;
const seconds = 6;
const project = 'root:bench:shop';
const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
const userAgent = 'cellplane-bench';

/**
 * From a project's write to the edge with 100 cells on one federator: all well, then with eight of them ill in eight ways.
 * `pairs`: quiet and troubled runs in turn; the median of their ratios counts. Edges are workspaces of one API server.
 */
export async function benchBulkheads(cells: number, pairs: number): Promise<Row[]> {
  await using world = await World.start(cells);
  await world.load('warm');
  const ratios: number[] = [];
  const added: number[] = [];
  const quiets: number[] = [];
  const troubles: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const quiet = percentile(await world.load(`quiet-${pair}`), 0.99);
    await world.sicken(true);
    await setTimeout(3_000);
    const troubled = percentile(await world.load(`troubled-${pair}`), 0.99);
    await world.sicken(false);
    await setTimeout(3_000);
    quiets.push(quiet);
    troubles.push(troubled);
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
    row(
      `${name}, ${sicknesses.length} ill`,
      median(troubles),
      'ms',
      `p99 of the healthy, median of ${pairs}`,
    ),
    row(
      '  ill against well',
      median(ratios),
      'times',
      `p99; goal 1.15, or 5 ms: ${median(added).toFixed(1)} ms`,
    ),
  ];
}

class World implements AsyncDisposable {
  readonly #cleanUps: (() => PromiseLike<unknown>)[] = [];
  readonly #sick: SickEdge[] = [];
  readonly #arrivals = new Map<string, (atMs: number) => void>();
  #admin!: RemoteClient;
  #healthy = 0;

  static async start(cells: number): Promise<World> {
    const world = new World();
    try {
      await world.#start(cells);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async sicken(ill: boolean): Promise<void> {
    for (const [index, edge] of this.#sick.entries()) edge.set(ill ? (sicknesses[index] ?? 'none') : 'none');
  }

  /** Writes at a steady rate, to all cells in turn; the healthy ones' times, sorted. */
  async load(round: string): Promise<number[]> {
    const latencies: number[] = [];
    const waiting: Promise<void>[] = [];
    const startedMs = performance.now();
    const all = this.#healthy + this.#sick.length;
    for (let index = 0; index < perSecond * seconds; index++) {
      const aheadMs = (index * 1_000) / perSecond - (performance.now() - startedMs);
      if (aheadMs > 1) await setTimeout(aheadMs);
      const cell = index % all;
      const name = `${round}-${index}`;
      const sentMs = performance.now();
      if (cell < this.#healthy) {
        waiting.push(
          new Promise((resolve) => {
            this.#arrivals.set(name, (atMs) => {
              latencies.push(atMs - sentMs);
              resolve();
            });
          }),
        );
      }
      waiting.push(
        this.#admin
          .create(
            { cluster: project, gvr: configMaps, namespace: 'default' },
            {
              apiVersion: 'v1',
              kind: 'ConfigMap',
              metadata: { name, labels: { cell: `cell-${cell}` } },
              data: { round },
            },
          )
          .then(() => {}),
      );
    }
    await Promise.race([Promise.all(waiting), setTimeout(60_000)]);
    return latencies.sort((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }

  async #start(cells: number): Promise<void> {
    const folder = await temporaryFolder();
    this.#cleanUps.push(() => folder[Symbol.asyncDispose]());
    const serve = async (name: string) => {
      const data = path.join(folder.path, name);
      await this.#run(['apiserver', '--data-dir', data, '--port', '0']);
      const pki = await ensurePki({ directory: path.join(data, 'pki'), hosts: [], now: new Date() });
      return { connection: await adminConnection(data), pki };
    };
    const [federation, edges] = await Promise.all([serve('federation'), serve('edges')]);
    this.#admin = this.#client(federation.connection);
    const edgesAdmin = this.#client(edges.connection);
    await this.#makeProject(cells);
    const sickCount = Math.min(sicknesses.length, Math.floor(cells / 2));
    this.#healthy = cells - sickCount;
    for (let index = 0; index < cells; index++) {
      await makeWorkspace(edgesAdmin, 'root', `edge-${index}`, 'universal');
      let connection = {
        ...edges.connection,
        server: `${edges.connection.server}/clusters/root:edge-${index}`,
      };
      if (index >= this.#healthy) {
        const sick = await SickEdge.start({ pki: edges.pki, target: connection });
        this.#cleanUps.push(() => sick[Symbol.asyncDispose]());
        this.#sick.push(sick);
        connection = { ...connection, server: sick.connection.server };
      }
      await this.#makeCell(`cell-${index}`, connection);
    }
    await this.#component(federation, folder.path, 'scheduler', ['scheduler', '--no-leader-elect'], {
      name: schedulerUserName,
      groups: [schedulerGroup],
    });
    await this.#component(federation, folder.path, 'federator', ['federator', '--name', 'f'], {
      name: `${federatorUserPrefix}f`,
      groups: [federatorGroup],
    });
    await until(
      'every cell is ready',
      async () => {
        const { items } = await this.#admin.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
        return items.every((cell) => JSON.stringify(cell['status'] ?? {}).includes('"EdgeReady"'));
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
    const stopping = new AbortController();
    const watching = this.#watch(edgesAdmin, stopping.signal);
    this.#cleanUps.push(async () => {
      stopping.abort();
      await watching;
    });
  }

  async #watch(edges: RemoteClient, signal: AbortSignal): Promise<void> {
    for await (const event of edges.watch(
      { cluster: '*', gvr: configMaps },
      { resourceVersion: '0', signal },
    )) {
      if (event.type !== 'ADDED' || event.object.metadata.annotations?.[clusterAnnotation] === undefined)
        continue;
      this.#arrivals.get(event.object.metadata.name ?? '')?.(performance.now());
    }
  }

  async #makeProject(cells: number): Promise<void> {
    await makeWorkspace(this.#admin, 'root', 'bench', 'organization');
    await makeWorkspace(this.#admin, 'root:bench', 'shop', 'project');
    for (let index = 0; index < cells; index++) {
      const cell = `cell-${index}`;
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
    await this.#run([...args, '--kubeconfig', file]);
  }

  async #run(args: readonly string[]): Promise<CellplaneProcess> {
    const process = await startCellplane([...args, '--log-level', 'error']);
    this.#cleanUps.push(() => process.stop());
    return process;
  }

  #client(connection: ServerConnection): RemoteClient {
    const client = new RemoteClient(connection, { userAgent, limits: { connectionsMax: 64 } });
    this.#cleanUps.push(() => client.close());
    return client;
  }
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
