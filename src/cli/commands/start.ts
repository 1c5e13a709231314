import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import {
  federatorGroup,
  federatorUserPrefix,
  schedulerGroup,
  schedulerUserName,
} from '#apiserver/authz/components.ts';
import { ensurePki, issueClientCertificate } from '#apiserver/pki/pki.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { schedulerNodeOptions } from '../collector.ts';
import { connect } from '../connect.ts';
import { demoCells, demoProjects, ensureCell, ensureProjects } from '../demo.ts';
import { freePort } from '../free-port.ts';
import { type KubeconfigContext, renderKubeconfig, writePrivateFile } from '../kubeconfig-file.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { makeFolder } from '../make-folder.ts';
import { type Running, runUntilStopped } from '../run-command.ts';
import { parsePort, setting, withConfigFile } from '../settings.ts';
import { type StorageFlags, storageArgs, withStorageFlags } from '../storage-settings.ts';
import { Supervisor } from '../supervisor.ts';
import { version } from '../version.ts';

interface Settings extends LogSettings, StorageFlags {
  readonly dataDir: string;
  readonly port: number;
  readonly bindAddress: string;
}

const clientCertificateDays = 365;

export function startCommand(): Command {
  const command = new Command('start')
    .description(
      'everything on this machine: API server, scheduler, two federators and two demo edges, each a process of its own',
    )
    .addOption(setting('--data-dir <folder>', 'where everything is kept', { default: '.cellplane' }))
    .addOption(
      setting(
        '--port <port>',
        'port of the API server; the demo edges take the next two (0: any free ports)',
        {
          parse: parsePort,
          default: 6443,
        },
      ),
    )
    .addOption(setting('--bind-address <address>', 'address to listen on', { default: '127.0.0.1' }))
    .action(async (settings: Settings) => {
      const startedMs = Date.now();
      const logger = createLogger('start', {
        logLevel: settings.logLevel === 'info' ? 'warn' : settings.logLevel,
      });
      const processes = new Processes(path.resolve(settings.dataDir), logger);
      await runUntilStopped(
        () => startAll(settings, processes, startedMs),
        () => processes.stop(),
      );
    });
  return withConfigFile(withLogging(withStorageFlags(command, ['level', 'etcd'])));
}

/** What runs, and the file that says so. */
class Processes {
  readonly dataDirectory: string;
  readonly supervisor: Supervisor;
  /** One after the other, so that the last one written is the newest. */
  #writing = Promise.resolve();

  constructor(dataDirectory: string, logger: Logger) {
    this.dataDirectory = dataDirectory;
    this.supervisor = new Supervisor({
      entry: entryFile(),
      logDirectory: path.join(dataDirectory, 'logs'),
      logger,
      onRestart: () => {
        this.#writing = this.write().catch((error: unknown) =>
          logger.warn({ err: error }, 'processes.json could not be written'),
        );
      },
    });
  }

  /** Which process is which, for people and scripts: `processes.json` in the data folder. */
  write(): Promise<void> {
    const text = () =>
      `${JSON.stringify({ start: process.pid, ...this.supervisor.processIds() }, null, 2)}\n`;
    return this.#writing.then(() =>
      writePrivateFile(path.join(this.dataDirectory, 'processes.json'), text()),
    );
  }

  async stop(): Promise<void> {
    await this.supervisor.stop();
    await this.#writing;
  }
}

async function startAll(settings: Settings, processes: Processes, startedMs: number): Promise<Running> {
  const { dataDirectory, supervisor } = processes;
  const { bindAddress } = settings;
  await makeFolder(dataDirectory, 'data folder');
  // Chosen once, also for 0: a part that is restarted must be found where it was.
  const port = await freePort(bindAddress, settings.port, 'the API server');
  const edgePorts: number[] = [];
  for (const [index, cell] of demoCells.entries()) {
    const wanted = settings.port === 0 ? 0 : port + 1 + index;
    edgePorts.push(await freePort(bindAddress, wanted, `edge ${cell.name}`));
  }
  try {
    const serverArgs = (data: string, serverPort: number) => [
      ...['--data-dir', data, '--bind-address', bindAddress, '--port', String(serverPort)],
      ...['--log-level', settings.logLevel],
    ];
    const federationStorage = storageArgs(settings);
    const serverDirectory = path.join(dataDirectory, 'apiserver');
    const edgeDirectory = (name: string) => path.join(dataDirectory, 'edges', name);
    // Edges and API server know nothing of one another: they start side by side.
    await Promise.all([
      supervisor.start({
        name: 'apiserver',
        args: ['apiserver', ...serverArgs(serverDirectory, port), ...federationStorage],
      }),
      ...demoCells.map((cell, index) =>
        supervisor.start({
          name: `edge-${cell.name}`,
          // Said although it is the default: an environment that sets the storage means the API server's.
          args: [
            ...['edge', ...serverArgs(edgeDirectory(cell.name), edgePorts[index] ?? 0)],
            ...['--storage', 'level'],
          ],
        }),
      ),
    ]);
    const admin = await loadKubeconfig(path.join(serverDirectory, 'admin.kubeconfig'));
    const federation = { ...admin, server: new URL(admin.server).origin };
    const edges = new Map<string, ServerConnection>();
    for (const cell of demoCells) {
      edges.set(cell.name, await loadKubeconfig(path.join(edgeDirectory(cell.name), 'admin.kubeconfig')));
    }
    await setUp(federation, edges, edgeDirectory);
    const kubeconfigs = await writeComponentKubeconfigs(dataDirectory, serverDirectory, federation);
    const logArgs = ['--log-level', settings.logLevel];
    await Promise.all([
      supervisor.start({
        name: 'scheduler',
        nodeOptions: schedulerNodeOptions,
        // One that is restarted takes its former lease up at once.
        args: [
          ...['scheduler', '--kubeconfig', kubeconfigs.get('scheduler') ?? '', '--lease-identity', 'start'],
          ...logArgs,
        ],
      }),
      ...demoCells.map(({ federator }) =>
        supervisor.start({
          name: federator,
          args: [
            'federator',
            '--name',
            federator,
            '--kubeconfig',
            kubeconfigs.get(federator) ?? '',
            ...logArgs,
          ],
        }),
      ),
    ]);
    const adminFile = path.join(dataDirectory, 'admin.kubeconfig');
    await writePrivateFile(
      adminFile,
      renderKubeconfig(adminContexts(federation, edges), demoProjects[0]?.context ?? 'root'),
    );
    await processes.write();
    printWelcome(adminFile, federation.server, Date.now() - startedMs);
  } catch (error) {
    await processes.stop();
    throw error;
  }
  return {
    async stop() {
      process.stdout.write('\nstopping…\n');
      await processes.stop();
      process.stdout.write('stopped\n');
    },
  };
}

/** The file that this process itself was started from. */
function entryFile(): string {
  return process.argv[1] ?? fileURLToPath(import.meta.url);
}

async function setUp(
  federation: ServerConnection,
  edges: ReadonlyMap<string, ServerConnection>,
  edgeDirectory: (name: string) => string,
): Promise<void> {
  const federationClient = connect(federation, 'start');
  try {
    await ensureProjects(federationClient);
    for (const cell of demoCells) {
      const edge = edges.get(cell.name);
      if (edge === undefined) throw new Error(`no connection to edge ${cell.name}`);
      const pki = await ensurePki({
        directory: path.join(edgeDirectory(cell.name), 'pki'),
        hosts: [],
        now: new Date(),
      });
      const credentials = issueClientCertificate(pki.ca, {
        commonName: `cellplane:${cell.federator}`,
        organizations: [systemMasters],
        days: clientCertificateDays,
      });
      await ensureCell(federationClient, cell, { ...edge, ...credentials });
    }
  } finally {
    await federationClient.close();
  }
}

/** A kubeconfig for the scheduler and each federator, as the users that the server's authorizer knows them by. */
async function writeComponentKubeconfigs(
  dataDirectory: string,
  serverDirectory: string,
  federation: ServerConnection,
): Promise<Map<string, string>> {
  const pki = await ensurePki({ directory: path.join(serverDirectory, 'pki'), hosts: [], now: new Date() });
  const identities = [
    { name: 'scheduler', commonName: schedulerUserName, organizations: [schedulerGroup] },
    ...demoCells.map(({ federator }) => ({
      name: federator,
      commonName: `${federatorUserPrefix}${federator}`,
      organizations: [federatorGroup],
    })),
  ];
  const files = new Map<string, string>();
  for (const { name, commonName, organizations } of identities) {
    const pair = issueClientCertificate(pki.ca, { commonName, organizations, days: clientCertificateDays });
    const file = path.join(dataDirectory, 'components', `${name}.kubeconfig`);
    await writePrivateFile(
      file,
      renderKubeconfig([{ name: 'root', connection: { ...federation, ...pair } }], 'root'),
    );
    files.set(name, file);
  }
  return files;
}

function adminContexts(
  federation: ServerConnection,
  edges: ReadonlyMap<string, ServerConnection>,
): KubeconfigContext[] {
  const workspace = (name: string, cluster: string): KubeconfigContext => ({
    name,
    connection: { ...federation, server: `${federation.server}/clusters/${cluster}` },
  });
  return [
    workspace('root', 'root'),
    workspace('cells', 'root:cells'),
    ...demoProjects.map(({ context, organization, name }) =>
      workspace(context, `root:${organization}:${name}`),
    ),
    ...demoCells.map(({ name }) => workspace(`cell-${name}`, `root:cells:${name}`)),
    ...[...edges].map(([name, connection]) => ({ name: `edge-${name}`, connection })),
  ];
}

function printWelcome(adminFile: string, server: string, tookMs: number): void {
  const file = path.relative(process.cwd(), adminFile);
  const shown = file.startsWith('..') ? adminFile : file;
  process.stdout.write(`Cellplane ${version} is ready at ${server} after ${(tookMs / 1_000).toFixed(1)} s. In another terminal:

  export KUBECONFIG=${shown}
  kubectl create deployment hello --image=registry.example/hello --replicas=3
  kubectl apply -f examples/policy.yaml                        # 2:1 over both cells
  kubectl get deployments,resourcebindings
  kubectl --context edge-pop-a-cell-a get deployments -A
  npx cellplane explain deployment/hello

Contexts: kubectl config get-contexts. Logs: ${path.join(path.dirname(shown), 'logs')}. Ctrl-C stops everything.
`);
}
