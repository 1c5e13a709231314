// Helm and programs on the client libraries of Go, Python and JavaScript against a running server, each in a workspace of its own.
// Their modules come from those languages' registries, so they run only when CELLPLANE_TEST_CLIENTS=1 is set; what is
// installed and compiled is kept in the temporary folder for the next run.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeWorkspace } from './clients/workspace-kubeconfig.ts';
import { type LoneServer, startLoneServer } from './harness/lone-server.ts';
import { findProgram, skipWithout } from './programs.ts';

const sources = path.resolve('test/clients');
const kept = path.join(os.tmpdir(), `cellplane-clients-${os.userInfo().uid}`);
const helmVersion = 'v3.20.0';
const outputLengthMax = 200_000;
/** Helm and controller-runtime are some thousand packages to compile the first time. */
const prepareMs = 1_200_000;
const runMs = 300_000;

interface ClientProgram {
  readonly name: string;
  readonly toolchain: string;
  readonly howToGetIt: string;
  /** Installs and compiles; returns the command that runs it. */
  prepare(toolchain: string, folder: string): Promise<Command>;
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const clientPrograms: readonly ClientProgram[] = [
  {
    name: 'go',
    toolchain: 'go',
    howToGetIt: 'see go.dev/doc/install',
    prepare: async (go, folder) => {
      const file = path.join(folder, 'clients');
      await run({ file: go, args: ['build', '-o', file, '.'], cwd: path.join(sources, 'go') });
      return { file, args: [] };
    },
  },
  {
    name: 'helm',
    toolchain: 'go',
    howToGetIt: 'Helm is compiled by Go, see go.dev/doc/install',
    prepare: async (go, folder) => {
      const file = path.join(folder, 'helm');
      const env = {
        GOBIN: folder,
        HELM_CACHE_HOME: folder,
        HELM_CONFIG_HOME: folder,
        HELM_DATA_HOME: folder,
      };
      const args = ['install', `helm.sh/helm/v3/cmd/helm@${helmVersion}`];
      await run({ file: go, args, env });
      return { file: path.join(sources, 'helm', 'clients.sh'), args: [file], env };
    },
  },
  {
    name: 'python',
    toolchain: 'python3',
    howToGetIt: 'apt-get install python3 python3-pip',
    prepare: async (python, folder) => {
      const requirements = path.join(sources, 'python', 'requirements.txt');
      const wanted = await readFile(requirements, 'utf8');
      const modules = path.join(folder, wanted.trim());
      const mark = path.join(modules, 'installed');
      if ((await readFile(mark, 'utf8').catch(() => '')) !== wanted) {
        const args = [
          '-m',
          'pip',
          'install',
          '--quiet',
          '--upgrade',
          '--target',
          modules,
          '-r',
          requirements,
        ];
        await run({ file: python, args });
        await writeFile(mark, wanted);
      }
      const env = { PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' };
      return { file: python, args: [path.join(sources, 'python', 'clients.py')], env };
    },
  },
  {
    name: 'javascript',
    toolchain: 'npm',
    howToGetIt: 'it comes with Node.js',
    prepare: async (npm, folder) => {
      await cp(path.join(sources, 'javascript'), folder, { recursive: true });
      await run({
        file: npm,
        args: ['install', '--silent', '--no-fund', '--no-audit', '--ignore-scripts'],
        cwd: folder,
      });
      return { file: process.execPath, args: ['clients.js'], cwd: folder };
    },
  },
];

/** Runs it to the end; returns its standard output. Throws with what it wrote when it fails and wrote no checks. */
function run({ file, args, cwd, env }: Command, timeoutMs = prepareMs): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout = (stdout + chunk.toString('utf8')).slice(-outputLengthMax);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-outputLengthMax);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0 || (code === 1 && stdout.startsWith('{"check"'))) resolve(stdout);
      else reject(new Error(`${file} ${args.join(' ')} ended with ${code ?? signal}:\n${stdout}${stderr}`));
    });
  });
}

if (process.env['CELLPLANE_TEST_CLIENTS'] === '1') {
  describe('client programs', { timeout: 2 * prepareMs }, () => {
    let server: LoneServer;
    before(async () => {
      server = await startLoneServer();
    });
    after(async () => {
      await server?.[Symbol.asyncDispose]();
    });

    /** A file with the administrator's kubeconfig of a new workspace. */
    async function kubeconfigOf(name: string): Promise<string> {
      const kubeconfig = await makeWorkspace(server, name);
      const file = path.join(server.dataDirectory, `${name}.kubeconfig`);
      await writeFile(file, kubeconfig, { mode: 0o600 });
      return file;
    }

    for (const { name, toolchain, howToGetIt, prepare } of clientPrograms) {
      test(name, { skip: skipWithout(toolchain, howToGetIt) }, async (context) => {
        const folder = path.join(kept, name);
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const command = await prepare(findProgram(toolchain) ?? toolchain, folder);
        const env = { ...command.env, KUBECONFIG: await kubeconfigOf(name) };
        const lines = (await run({ ...command, env }, runMs)).trim().split('\n');
        for (const line of lines) {
          const { check, error } = JSON.parse(line) as { check: string; error?: string };
          await context.test(check, () => assert.equal(error, undefined, error));
        }
      });
    }
  });
} else {
  process.stderr.write(
    'Helm and client libraries of Go, Python and JavaScript: set CELLPLANE_TEST_CLIENTS=1 to test with them (their registries are used)\n',
  );
}
