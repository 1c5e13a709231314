import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A test process that ends without cleaning up leaves no other behind. */
export function endWithThisProcess(child: ChildProcess): void {
  const killIt = () => child.kill('SIGKILL');
  process.once('exit', killIt);
  child.once('exit', () => process.off('exit', killIt));
}

/** `kill -9`; resolves when it has ended, at once when it had. */
export async function killHard(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
