import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from './dispose-all.ts';
import { patient } from './patient.ts';
import { adminConnection, type CellplaneProcess, startCellplane, temporaryFolder } from './processes.ts';
import { RawHttp } from './raw-http.ts';
import { storageOfProcess } from './test-storage.ts';

/** One API server in a process of its own, without scheduler, federator or edge. */
export interface LoneServer extends AsyncDisposable {
  /** The one that runs now. */
  readonly process: CellplaneProcess;
  readonly dataDirectory: string;
  /** The administrator's, without a workspace in its URL. */
  readonly connection: ServerConnection;
  readonly admin: RemoteClient;
  readonly raw: RawHttp;
  /** Ends the process, and starts another on its data and its port. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Resident memory of the server's process, in MiB. */
  residentMiB(): number;
}

export async function startLoneServer(
  args: readonly string[] = [],
  command: 'apiserver' | 'edge' = 'apiserver',
): Promise<LoneServer> {
  const folder = await temporaryFolder();
  const dataDirectory = path.join(folder.path, 'data');
  // Who asks for a storage means that one.
  const isOurs = command === 'apiserver' && !args.includes('--storage');
  const storage = isOurs ? await storageOfProcess() : undefined;
  const storageArgs = storage?.args ?? [];
  const startAt = (port: number) =>
    startCellplane([
      ...[command, '--data-dir', dataDirectory, '--port', String(port)],
      ...[...storageArgs, ...args],
    ]);
  let process: CellplaneProcess;
  try {
    process = await startAt(0);
  } catch (error) {
    await disposeAll(storage, folder);
    throw error;
  }
  const connection = await adminConnection(dataDirectory);
  const admin = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
  const raw = new RawHttp(connection);
  return {
    get process() {
      return process;
    },
    dataDirectory,
    connection,
    admin,
    raw,
    restart: async (meanwhile) => {
      const port = process.port ?? 0;
      await process.stop();
      await meanwhile?.();
      process = await startAt(port);
    },
    residentMiB: () => residentMiB(process.pid),
    async [Symbol.asyncDispose]() {
      await disposeAll(
        () => raw.close(),
        () => admin.close(),
        () => process.stop(),
        storage,
        folder,
      );
    },
  };
}

function residentMiB(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1_024;
}
