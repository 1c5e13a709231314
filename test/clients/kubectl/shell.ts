import { spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { withoutCollecting } from '../../harness/kubectl.ts';
import { normalise } from './transcript.ts';

const commandTimeoutMs = 300_000;

/** A shell in which `kubectl` is one certain program, with a home folder and a kubeconfig of its own. */
export interface Shell {
  /** Runs the command line; returns its normalised output with `[exit N]` when it fails. */
  run(command: string): Promise<string>;
}

export async function openShell(options: {
  readonly program: string;
  /** Folder of its own, made if missing: its home, with the discovery cache and temporary files. */
  readonly home: string;
  readonly kubeconfig: string;
  /** Folder that `-f name.yaml` is looked for in. */
  readonly workingDirectory: string;
  /** Further environment of its commands. */
  readonly environment: NodeJS.ProcessEnv;
}): Promise<Shell> {
  const programs = path.join(options.home, 'bin');
  const temporary = path.join(options.home, 'tmp');
  await mkdir(programs, { recursive: true });
  await mkdir(temporary, { recursive: true });
  await symlink(options.program, path.join(programs, 'kubectl'));
  const kubeconfig = path.join(options.home, 'kubeconfig');
  await writeFile(kubeconfig, options.kubeconfig, { mode: 0o600 });
  const env = {
    ...withoutCollecting,
    ...options.environment,
    PATH: `${programs}:${process.env['PATH'] ?? ''}`,
    HOME: options.home,
    TMPDIR: temporary,
    KUBECONFIG: kubeconfig,
    LC_ALL: 'C',
    TZ: 'UTC',
  };
  return { run: (command) => runIn(options.workingDirectory, env, command) };
}

function runIn(cwd: string, env: NodeJS.ProcessEnv, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', command], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: commandTimeoutMs,
    });
    const chunks: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] };
    child.stdout.on('data', (chunk: Buffer) => chunks.out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.err.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const text = (parts: Buffer[]) => normalise(Buffer.concat(parts).toString('utf8'));
      const exit = code === 0 ? '' : `[exit ${code ?? signal}]`;
      resolve([text(chunks.out), text(chunks.err), exit].filter((one) => one !== '').join('\n'));
    });
  });
}
