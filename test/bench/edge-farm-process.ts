import { fork } from 'node:child_process';
import path from 'node:path';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { FarmMessage } from './farm-message.ts';

/** `real`: as `cellplane edge`, in memory; `thin`: a stand-in that costs little (thin-edge.ts). */
export type EdgeMake = 'real' | 'thin';

/** Many edges in one process of their own. */
export interface EdgeFarm {
  readonly pid: number;
  readonly connections: readonly ServerConnection[];
  /** Calls back when an edge has stored a ConfigMap or Deployment, for all from now on; `atMs` by `sharedNowMs`. Once. */
  onArrival(callback: (name: string, atMs: number, namespace: string) => void): void;
  end(): void;
}

/** `pkiDirectory`: of the authority that their certificates are of; default: one of their own. */
export async function startEdgeFarm(count: number, make: EdgeMake, pkiDirectory?: string): Promise<EdgeFarm> {
  const args = [String(count), make, ...(pkiDirectory === undefined ? [] : [pkiDirectory])];
  const child = fork(path.resolve('test/bench/edge-farm.ts'), args, {
    execArgv: ['--import', 'tsx'],
  });
  const connections = await new Promise<readonly ServerConnection[]>((resolve, reject) => {
    child.once('message', (message: FarmMessage) => resolve(message.connections ?? []));
    child.once('exit', (code) => reject(new Error(`the edges ended with ${code}`)));
  });
  return {
    pid: child.pid ?? 0,
    connections,
    onArrival(callback) {
      child.on('message', ({ arrivals = [] }: FarmMessage) => {
        for (const [name, atMs, namespace] of arrivals) callback(name, atMs, namespace);
      });
      child.send('watch');
    },
    end() {
      if (child.connected) child.disconnect();
    },
  };
}
