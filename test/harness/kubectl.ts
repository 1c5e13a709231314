import { spawn } from 'node:child_process';

export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  /** Runs kubectl; throws with its error output when it fails. Returns standard output. */
  (args: readonly string[], input?: string): Promise<string>;
  /** Runs kubectl and returns whatever became of it. */
  readonly attempt: (args: readonly string[], input?: string) => Promise<KubectlResult>;
}

/** A kubectl lives for a tenth of a second: collecting its garbage was a quarter of the processor time that it took. */
export const withoutCollecting = { GOGC: 'off' } as const;

/** A kubectl bound to a kubeconfig, a context, and a cache folder of its own (discovery is cached for hours else). */
export function kubectlFor(options: {
  readonly program: string;
  readonly kubeconfig: string;
  readonly context?: string | undefined;
  readonly cacheDirectory: string;
}): Kubectl {
  const attempt = (args: readonly string[], input?: string): Promise<KubectlResult> =>
    new Promise((resolve, reject) => {
      const all = ['--kubeconfig', options.kubeconfig, '--cache-dir', options.cacheDirectory];
      if (options.context !== undefined) all.push('--context', options.context);
      const child = spawn(options.program, [...all, ...args], {
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: 300_000,
        env: { ...process.env, ...withoutCollecting },
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString('utf8');
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString('utf8');
      });
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout, stderr }));
      // It may have ended before it read anything: its exit code tells how.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  const run = async (args: readonly string[], input?: string): Promise<string> => {
    const result = await attempt(args, input);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr || result.stdout}`);
    return result.stdout;
  };
  return Object.assign(run, { attempt });
}
