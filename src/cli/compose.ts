import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { projectDefinitions } from '#api/policy/definitions.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { ensurePki, issueClientCertificate } from '#apiserver/pki/pki.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import { startServer } from '#apiserver/server.ts';
import type { Logger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage } from '#storage/storage.ts';
import { freePort } from './free-port.ts';
import { renderKubeconfig, writePrivateFile } from './kubeconfig-file.ts';
import { type Running, UsageError } from './run-command.ts';
import { version } from './version.ts';

export interface ApiServerSettings {
  readonly mode: 'federation' | 'edge';
  readonly dataDirectory: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly externalHost?: string | undefined;
  readonly storage: 'level' | 'memory';
  readonly tokenFile?: string | undefined;
  readonly logger: Logger;
}

export interface RunningApiServer extends Running {
  readonly port: number;
  readonly url: string;
  /** File with the admin's credentials. */
  readonly adminKubeconfig: string;
}

const adminCertificateDays = 365;

/**
 * An API server with its data folder: store, certificates, admin kubeconfig. Throws UsageError for a folder that cannot
 * be used, with its name and what is wrong.
 */
export async function startApiServer(settings: ApiServerSettings): Promise<RunningApiServer> {
  const { dataDirectory, bindAddress, logger } = settings;
  await makeFolder(dataDirectory);
  const externalHost = settings.externalHost ?? (isWildcard(bindAddress) ? '127.0.0.1' : bindAddress);
  const [pki, inner, tokenFile] = await Promise.all([
    ensurePki({ directory: path.join(dataDirectory, 'pki'), hosts: [externalHost], now: new Date() }),
    openStorage(settings),
    settings.tokenFile === undefined ? undefined : readFile(settings.tokenFile, 'utf8'),
  ]);
  const storage = await openCachedStorage(inner, { logger });
  // URLs are written into objects before the server listens: 0 must be a number by then.
  const port = settings.port === 0 ? await freePort(bindAddress, 0, 'the API server') : settings.port;
  const server = await startServer({
    mode: settings.mode,
    storage,
    pki,
    bindAddress,
    port,
    externalHost,
    projectDefinitions: projectDefinitions(),
    tokenFile,
    version,
    clock: systemClock,
    logger,
  }).catch(async (error: unknown) => {
    await storage.close();
    throw error;
  });
  const adminKubeconfig = path.join(dataDirectory, 'admin.kubeconfig');
  const admin = issueClientCertificate(pki.ca, {
    commonName: 'cellplane-admin',
    organizations: [systemMasters],
    days: adminCertificateDays,
  });
  const url = settings.mode === 'edge' ? server.url : `${server.url}/clusters/root`;
  const connection = { server: url, caPem: pki.ca.certificatePem, ...admin };
  const name = settings.mode === 'edge' ? 'edge' : 'root';
  await writePrivateFile(adminKubeconfig, renderKubeconfig([{ name, connection }], name));
  return { port: server.port, url: server.url, adminKubeconfig, stop: () => server.stop() };
}

async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(`cannot make the data folder ${directory}: ${(error as Error).message}`);
  }
}

async function openStorage({ storage, dataDirectory, logger }: ApiServerSettings): Promise<Storage> {
  if (storage === 'memory') return createMemoryStorage();
  try {
    return await openLevelStorage({ directory: path.join(dataDirectory, 'store'), logger });
  } catch (error) {
    if (isStorageError(error)) throw new UsageError(error.message);
    throw error;
  }
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
