import path from 'node:path';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from './dispose-all.ts';
import { patient } from './patient.ts';
import { type CellplaneProcess, startCellplane, temporaryFolder } from './processes.ts';
import { storageOfProcess } from './test-storage.ts';

export interface StartedConstellation extends AsyncDisposable {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly process: CellplaneProcess;
  /** A client for one context of the admin kubeconfig; its refs name no workspace, the context does. */
  client(context: string): Promise<RemoteClient>;
  /** Process ids by name, as they are now. */
  processIds(): Promise<{ readonly [name: string]: number }>;
}

/** `cellplane start` as a user runs it, on free ports in a folder that is removed afterwards. */
export async function startConstellation(): Promise<StartedConstellation> {
  const folder = await temporaryFolder();
  const dataDirectory = path.join(folder.path, 'data');
  const storage = await storageOfProcess();
  let process: CellplaneProcess;
  try {
    process = await startCellplane(['start', '--data-dir', dataDirectory, '--port', '0', ...storage.args]);
  } catch (error) {
    await disposeAll(storage, folder);
    throw error;
  }
  const kubeconfig = path.join(dataDirectory, 'admin.kubeconfig');
  const clients: RemoteClient[] = [];
  return {
    folder: dataDirectory,
    kubeconfig,
    process,
    async client(context) {
      const client = new RemoteClient(await loadKubeconfig(kubeconfig, context), {
        userAgent: 'cellplane-test',
        limits: patient,
      });
      clients.push(client);
      return client;
    },
    async processIds() {
      const { readFile } = await import('node:fs/promises');
      return JSON.parse(await readFile(path.join(dataDirectory, 'processes.json'), 'utf8')) as {
        [name: string]: number;
      };
    },
    async [Symbol.asyncDispose]() {
      await disposeAll(
        ...clients.map((client) => () => client.close()),
        () => process.stop(),
        storage,
        folder,
      );
    },
  };
}
