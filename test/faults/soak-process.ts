/**
 * An API server in a process of its own, whose store keeps as much history as is asked: `soak-process <options as JSON>`.
 * Prints one JSON line, the administrator's connection, when it is ready, then again and again one with what its heap
 * holds in MiB; ends on SIGTERM.
 */
import path from 'node:path';
import { projectDefinitions } from '#api/policy/definitions.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { ensurePki, issueClientCertificate } from '#apiserver/pki/pki.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import { startServer } from '#apiserver/server.ts';
import { silentLogger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';

export interface SoakProcessOptions {
  readonly directory: string;
  /** Undefined: what store and cache do by themselves. */
  readonly historyAgeMs?: number | undefined;
  readonly ringEventsMax?: number | undefined;
}

const { directory, historyAgeMs, ringEventsMax } = JSON.parse(process.argv[2] ?? '') as SoakProcessOptions;
const pki = await ensurePki({
  directory: path.join(directory, '..', 'pki'),
  hosts: ['127.0.0.1'],
  now: new Date(),
});
const history = historyAgeMs === undefined ? {} : { historyAgeMs, compactIntervalMs: historyAgeMs / 4 };
const server = await startServer({
  mode: 'federation',
  storage: await openCachedStorage(await openLevelStorage({ directory, ...history }), { ringEventsMax }),
  pki,
  bindAddress: '127.0.0.1',
  port: 0,
  externalHost: '127.0.0.1',
  projectDefinitions: projectDefinitions(),
  version: 'test',
  clock: systemClock,
  logger: silentLogger,
});
const { certificatePem, keyPem } = issueClientCertificate(pki.ca, {
  commonName: 'soak',
  organizations: [systemMasters],
  days: 1,
});
const connection: ServerConnection = {
  server: `https://127.0.0.1:${server.port}`,
  caPem: pki.ca.certificatePem,
  certificatePem,
  keyPem,
};
process.stdout.write(`${JSON.stringify(connection)}\n`);
setInterval(() => {
  process.stdout.write(`${process.memoryUsage().heapUsed / 1_048_576}\n`);
}, 50).unref();
process.once('SIGTERM', () => void server.stop());
