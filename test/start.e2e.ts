// What `cellplane start` promises beyond the main job: contexts, ports, a second start, an orderly end, plain errors.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import type { KubeList } from '#apimachinery/object.ts';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { patient } from './harness/patient.ts';
import { adminConnection, startCellplane, temporaryFolder } from './harness/processes.ts';
import { until } from './harness/until.ts';

const entry = path.resolve('bin/cellplane.js');
const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;

/** Runs a command to its end. */
function cellplane(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...args], {
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, ...env },
  });
  return { code: status, stdout, stderr };
}

/** Of a service account of the project that may do everything there, and nothing elsewhere. */
async function tokenOf(folder: string, cluster: string): Promise<string> {
  const options = { userAgent: 'cellplane-test', limits: patient };
  const client = new RemoteClient(await adminConnection(folder), options);
  const rbac = 'rbac.authorization.k8s.io';
  await client.create(
    { cluster, gvr: { group: rbac, version: 'v1', resource: 'clusterrolebindings' } },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'dev' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'default' }],
    },
  );
  const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } };
  const { status } = (await client.raw({ cluster, method: 'POST', path, body })) as {
    status: { token: string };
  };
  await client.close();
  return status.token;
}

/** Whether a process that serves data of this folder has the id: ids are given again. */
function isRunning(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || commandLine(String(pid)).includes(data);
  } catch {
    return false;
  }
}

/** Command lines that name this folder, of processes that run. Linux has them as files, also where there is no `ps`. */
function processesOf(data: string): readonly string[] {
  const lines =
    process.platform === 'linux'
      ? readdirSync('/proc')
          .filter((name) => /^\d+$/.test(name))
          .map(commandLine)
      : spawnSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).stdout.split('\n');
  return lines.filter((line) => line.includes(data));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('cellplane start', { timeout: 600_000 }, () => {
  test('makes the contexts, finds its data again, and leaves no process behind', async () => {
    await using folder = await temporaryFolder();
    const data = path.join(folder.path, 'data');
    const kubeconfig = path.join(data, 'admin.kubeconfig');
    const identities: unknown[] = [];
    for (const run of [1, 2]) {
      await using started = await startCellplane(['start', '--data-dir', data, '--port', '0']);
      const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
        contexts: { name: string }[];
        'current-context': string;
      };
      assert.deepEqual(config.contexts.map(({ name }) => name).sort(), [
        'acme-shop',
        'cell-pop-a-cell-a',
        'cell-pop-b-cell-b',
        'cells',
        'edge-pop-a-cell-a',
        'edge-pop-b-cell-b',
        'globex-shop',
        'root',
      ]);
      assert.equal(config['current-context'], 'acme-shop');
      const connection = await loadKubeconfig(kubeconfig);
      const project = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
      const ref = { cluster: undefined, gvr: configMaps, namespace: 'default', name: 'kept' };
      if (run === 1) {
        await project.create(ref, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' } });
      } else assert.equal((await project.get(ref)).metadata.name, 'kept');
      identities.push([
        await project.raw({ cluster: undefined, method: 'GET', path: '/.well-known/cellplane' }),
        connection.caPem,
      ]);
      await project.close();
      const ids = JSON.parse(await readFile(path.join(data, 'processes.json'), 'utf8')) as {
        [name: string]: number;
      };
      assert.equal(Object.keys(ids).length, 7, JSON.stringify(ids));
      assert.equal(await started.stop(), 0, started.output());
      await until('no process is left', () => !Object.values(ids).some((pid) => isRunning(pid, data)));
    }
    assert.deepEqual(identities[0], identities[1], 'the same store and the same authority');
  });

  // Asked to end, and gone without a word, once the first of the parts runs and before all are ready.
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`${signal} while it starts leaves no process behind`, async () => {
      await using folder = await temporaryFolder();
      const data = path.join(folder.path, 'data');
      const child = spawn(process.execPath, [entry, 'start', '--data-dir', data, '--port', '0'], {
        stdio: 'ignore',
      });
      const ended = new Promise<NodeJS.Signals | null>((resolve) =>
        child.once('exit', (_, how) => resolve(how)),
      );
      await until('an edge has its folder', () => existsSync(path.join(data, 'edges')));
      child.kill(signal);
      assert.equal(await ended, signal);
      await until('no process is left', () => processesOf(data).length === 0);
      assert.ok(!existsSync(path.join(data, 'admin.kubeconfig')), 'it was ended before it was ready');
    });
  }

  test('a part whose parent is gone before it begins ends', async () => {
    await using folder = await temporaryFolder();
    const child = spawn(process.execPath, [entry, 'edge', '--data-dir', folder.path, '--port', '0'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, CELLPLANE_SUPERVISED: '1' },
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_, how) => resolve(how)),
    );
    child.disconnect();
    assert.equal(await ended, 'SIGTERM');
  });

  test('a server says that it has stopped, and ends where nobody reads what it says', async () => {
    await using folder = await temporaryFolder();
    const args = ['apiserver', '--data-dir', folder.path, '--port', '0'];
    await using server = await startCellplane(args);
    assert.equal(await server.stop(), 0);
    assert.match(server.output(), /"msg":"API server stopped"\}\n$/);
    const unread = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((resolve) => unread.once('exit', resolve));
    await new Promise((resolve) => unread.stdout.once('data', resolve));
    unread.stdout.destroy();
    unread.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  test('a part that cannot stop cleanly says so and ends all the same', async () => {
    await using folder = await temporaryFolder();
    const data = path.join(folder.path, 'data');
    await using edge = await startCellplane(['edge', '--data-dir', data, '--port', '0']);
    await rm(data, { recursive: true });
    assert.equal(await edge.stop(), 1);
    assert.match(edge.output(), /^cellplane: data folder .* cannot be written$/m);
  });

  test('a taken port is one line, code 1, and nothing is started', async () => {
    await using folder = await temporaryFolder();
    const taken = net.createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as net.AddressInfo;
    const { code, stderr } = cellplane([
      'start',
      '--data-dir',
      path.join(folder.path, 'data'),
      '--port',
      String(port),
    ]);
    taken.close();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^cellplane: port ${port} .* is taken .*--port\\n$`));
  });

  const refusedData = path.join(os.tmpdir(), `cellplane-refused-${process.pid}`);
  after(() => rm(refusedData, { recursive: true, force: true }));
  const wrong: readonly (readonly [string, readonly string[], NodeJS.ProcessEnv, RegExp])[] = [
    ['an unknown flag', ['apiserver', '--prot', '1'], {}, /unknown option '--prot'/],
    ['a port that is none', ['apiserver', '--port', '70000'], {}, /between 0 and 65535/],
    ['a wrong value in the environment', ['apiserver'], { CELLPLANE_PORT: 'many' }, /between 0 and 65535/],
    ['an unknown command', ['apisrever'], {}, /unknown command 'apisrever'/],
    ['a federator without a name', ['federator'], {}, /required option '--name.*\n\(add --help/],
    ['a cell without its name', ['cell', 'cordon'], {}, /missing required argument 'name'\n\(add --help/],
    [
      'a backup that is not there',
      ['restore', '/nonexistent/backup', '--data-dir', '/nonexistent/data'],
      {},
      /^cellplane: cannot read backup \/nonexistent\/backup: .*\n$/,
    ],
    ['a restore to nowhere', ['restore', '/nonexistent/backup'], {}, /^cellplane: give --data-dir.*\n$/],
    [
      'a kubeconfig that is not there',
      ['cell', 'list', '--kubeconfig', '/nonexistent/config'],
      {},
      /^cellplane: no kubeconfig at \/nonexistent\/config;/,
    ],
    [
      'several kubeconfigs of which none is there',
      ['cell', 'list'],
      { KUBECONFIG: `/nonexistent/a${path.delimiter}${path.delimiter}/nonexistent/b` },
      /^cellplane: no kubeconfig at \/nonexistent\/a, \/nonexistent\/b;/,
    ],
    [
      'a file that a flag names and that is not there',
      ['apiserver', '--storage', 'memory', '--port', '0', '--token-file', '/nonexistent/tokens'],
      { CELLPLANE_DATA_DIR: path.join(refusedData, 'data') },
      /^cellplane: --token-file \/nonexistent\/tokens: ENOENT/,
    ],
    [
      'a workspace that cannot be called so',
      ['workspace', 'create', 'root:Acme'],
      {},
      /^cellplane: value 'root:Acme' is invalid for argument 'path': must be a path of workspaces like root:acme/,
    ],
    [
      'a cell that cannot be called so, before anything is made at its edge',
      ['cell', 'join', 'A_b', '--edge-kubeconfig', '/nonexistent/config'],
      {},
      /^cellplane: value 'A_b' is invalid for argument 'name': a workspace name must consist of/,
    ],
    [
      'a federator that cannot be called so',
      ['federator', '--name', 'A b'],
      {},
      /'A b' is invalid: a lowercase/,
    ],
    ['an output that there is not', ['cell', 'list', '-o', 'xml'], {}, /Allowed choices are json, yaml/],
    ['a count that is none', ['explain', 'a/b', '--workspace', 'root', '--replicas', '-1'], {}, /at least 0/],
  ];
  for (const [what, args, env, message] of wrong) {
    test(`refused: ${what}`, () => {
      const { code, stderr } = cellplane(args, env);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
    });
  }

  test('a backup of a data folder that is not there makes none', async () => {
    await using folder = await temporaryFolder();
    const data = path.join(folder.path, 'absent');
    const { code, stderr } = cellplane(['backup', path.join(folder.path, 'backup'), '--data-dir', data]);
    assert.equal(code, 1);
    assert.match(stderr, /^cellplane: data folder .*absent.* holds no store\n$/);
    assert.deepEqual(await readdir(folder.path), []);
  });

  test('workspaces: what there is none of is told, and lists come as tables, JSON and YAML', async () => {
    await using folder = await temporaryFolder();
    await using server = await startCellplane(['apiserver', '--data-dir', folder.path, '--port', '0']);
    assert.ok((server.port ?? 0) > 0);
    const env = { KUBECONFIG: path.join(folder.path, 'admin.kubeconfig') };
    const workspace = (...args: string[]) => cellplane(['workspace', ...args], env);
    assert.equal(workspace('create', 'root:acme', '--type', 'organization').code, 0);
    assert.equal(workspace('create', 'root:acme:shop', '--type', 'project').code, 0);
    assert.equal(workspace('create', 'root:acme:shop', '--ignore-existing').code, 0);
    const kind = { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'WorkspaceType', metadata: { name: 'slow' } };
    const types = { cluster: 'root', gvr: { ...workspacesGvr, resource: 'workspacetypes' } };
    const options = { userAgent: 'cellplane-test', limits: patient };
    const client = new RemoteClient(await adminConnection(folder.path), options);
    await client.create(types, { ...kind, spec: { initializer: true } });
    await client.close();
    const slow = ['create', 'root:acme:slow', '--type', 'root:slow'] as const;
    const late = workspace(...slow, '--timeout', '300ms');
    assert.deepEqual([late.code, late.stdout], [1, '']);
    assert.match(
      late.stderr,
      /slow is there, and not ready in time: it is Initializing, waits for root:slow\n$/,
    );
    assert.match(workspace(...slow, '--ignore-existing', '--wait=false').stdout, /exists\n$/);
    assert.match(workspace(...slow, '--wait=maybe').stderr, /must be true or false/);
    assert.equal(workspace('delete', 'root:acme:slow').code, 0);
    assert.match(
      workspace('list', 'root:acme').stdout,
      /^NAME +TYPE +PHASE +URL\nshop +project +Ready +https:.*\n$/,
    );
    const json = JSON.parse(workspace('list', 'root:acme', '-o', 'json').stdout) as KubeList;
    assert.equal(json.kind, 'List');
    const [shop] = json.items;
    assert.deepEqual([shop?.apiVersion, shop?.kind], ['tenancy.kcp.io/v1alpha1', 'Workspace']);
    assert.match(
      cellplane(['cell', 'list', '-o', 'yaml'], env).stdout,
      /^apiVersion: v1\nkind: List\n.*items: \[\]\n$/s,
    );
    assert.match(workspace('tree').stdout, /^root\n.*└─ shop \(project\)\n/s);
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ['list', 'root:acme:shop'],
        /^cellplane: workspace root:acme:shop is of a type that holds no workspaces\n$/,
      ],
      [
        ['create', 'root:acme:shop:x'],
        /^cellplane: workspace root:acme:shop is of a type that holds no workspaces\n$/,
      ],
      [['create', 'root:acme:shop'], /^cellplane: .* "shop" already exists\n$/],
      [['list', 'root:absent'], /^cellplane: .* "root:absent" not found\n$/],
      [['tree', 'root:absent'], /^cellplane: .* "root:absent" not found\n$/],
      [['delete', 'root:acme:absent'], /^cellplane: .* "absent" not found\n$/],
    ];
    for (const [args, message] of refusals) {
      const { code, stdout, stderr } = workspace(...args);
      assert.deepEqual([code, stdout], [1, ''], args.join(' '));
      assert.match(stderr, message);
    }
    const explain = (of: string, at: string) => cellplane(['explain', of, '--workspace', at], env).stderr;
    assert.match(
      explain('deployment/hello', 'root:acme:shop'),
      /^cellplane: .* "hello" not found in namespace default of root:acme:shop; -n names another\n$/,
    );
    const kubeconfig = path.join(folder.path, 'shop.kubeconfig');
    const admin = await readFile(env.KUBECONFIG, 'utf8');
    await writeFile(kubeconfig, admin.replaceAll(/(\/clusters\/root)\b/g, '$1:acme:shop'));
    assert.match(
      cellplane(['explain', 'deployment/hello', '--kubeconfig', kubeconfig]).stderr,
      /not found in namespace default of root:acme:shop; -n/,
      'the workspace is that of the kubeconfig’s context',
    );
    await writeFile(kubeconfig, admin.replaceAll(/\/clusters\/root\b/g, ''));
    assert.match(
      cellplane(['explain', 'deployment/hello', '--kubeconfig', kubeconfig]).stderr,
      /^cellplane: the kubeconfig’s context names no workspace: give --workspace, like root:acme:shop\n$/,
    );
    const token = await tokenOf(folder.path, 'root:acme:shop');
    const withToken = admin
      .replaceAll(/"client-certificate-data": "[^"]*"/g, `"token": "${token}"`)
      .replaceAll(/"client-key-data"/g, '"without"');
    await writeFile(kubeconfig, withToken);
    assert.match(
      cellplane(['explain', 'namespace/default', '--workspace', 'root:acme:shop', '--kubeconfig', kubeconfig])
        .stderr,
      /^cellplane: explain looks into the cells, .*forbidden.*; in a project `kubectl describe`/,
    );
    assert.match(explain('namespace/hello', 'root:acme:shop'), /^cellplane: namespaces "hello" not found\n$/);
    assert.match(explain('deployment/hello', 'root:absent'), /^cellplane: .* "root:absent" not found\n$/);
  });

  test('a configuration file gives what flags and environment do not; unknown keys are named', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'cellplane.yaml');
    await writeFile(file, 'prot: 1\n');
    const unknown = cellplane(['apiserver', '--config', file]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /unknown setting prot/);
    await writeFile(file, `port: 70000\ndata-dir: ${path.join(folder.path, 'data')}\n`);
    assert.match(cellplane(['apiserver', '--config', file]).stderr, /port: must be a port number/);
    // The flag comes first: the file's bad value is not even looked at.
    await using server = await startCellplane(['apiserver', '--config', file, '--port', '0']);
    assert.ok((server.port ?? 0) > 0);
  });

  test('a data folder that cannot be used is named, and left as it was', async () => {
    await using folder = await temporaryFolder();
    const blocked = path.join(folder.path, 'file');
    await writeFile(blocked, 'not a folder');
    const cannot = cellplane(['apiserver', '--data-dir', path.join(blocked, 'data'), '--port', '0']);
    assert.equal(cannot.code, 1);
    assert.match(cannot.stderr, /data folder .* cannot be used/);
    const foreign = path.join(folder.path, 'foreign');
    await mkdir(path.join(foreign, 'store'), { recursive: true });
    await writeFile(path.join(foreign, 'store', 'holiday.jpg'), 'mine');
    const refused = cellplane(['apiserver', '--data-dir', foreign, '--port', '0']);
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.includes(path.join(foreign, 'store')), refused.stderr);
    assert.equal(await readFile(path.join(foreign, 'store', 'holiday.jpg'), 'utf8'), 'mine');
  });

  test('two servers on one folder: the second says which folder is in use', async () => {
    await using folder = await temporaryFolder();
    await using first = await startCellplane(['apiserver', '--data-dir', folder.path, '--port', '0']);
    const second = cellplane(['apiserver', '--data-dir', folder.path, '--port', '0']);
    assert.equal(second.code, 1);
    assert.ok(second.stderr.includes(folder.path), second.stderr);
    assert.ok((first.port ?? 0) > 0);
  });

  test('a missing CURRENT file is refused, never taken for an empty store', async () => {
    await using folder = await temporaryFolder();
    await using first = await startCellplane(['apiserver', '--data-dir', folder.path, '--port', '0']);
    await first.stop();
    const found = spawnSync('find', [path.join(folder.path, 'store'), '-name', 'CURRENT'], {
      encoding: 'utf8',
    });
    await rm(found.stdout.trim());
    const refused = cellplane(['apiserver', '--data-dir', folder.path, '--port', '0']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /cellplane: /);
  });

  test('every command has its help', () => {
    for (const command of [
      'start',
      'apiserver',
      'scheduler',
      'federator',
      'edge',
      'workspace',
      'cell',
      'explain',
      'version',
      'backup',
      'restore',
      'migrate-storage',
    ]) {
      const { code, stdout } = cellplane([command, '--help']);
      assert.equal(code, 0, command);
      assert.match(stdout, new RegExp(`Usage: cellplane ${command}`));
    }
  });
});
