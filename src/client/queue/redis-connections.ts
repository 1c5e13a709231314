import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Redis, RedisOptions } from 'ioredis';
import type { Logger } from '../logger.ts';
import { parseRedisUrl } from './redis-url.ts';

export interface RedisSettings {
  /** See `parseRedisUrl`. */
  readonly url: string;
  /** Instead of the URL's. */
  readonly password?: string | undefined;
  /** PEM of the CA that the server's certificate is checked with; default: those that Node trusts. */
  readonly ca?: string | undefined;
  /** PEM of the certificate to show, and of its key: a Redis with TLS asks for one unless told otherwise. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

const reconnectMaxMs = 2_000;
const connectTimeoutMs = 5_000;
/** A command that is not answered for so long has failed: a server that hangs is as one that is away. */
const commandTimeoutMs = 5_000;

/**
 * Options of a connection that comes back by itself. `buffers`: commands wait while it is away, which only those may use of
 * which a bounded number is ever under way; the others fail at once.
 */
function connectionOptions(settings: RedisSettings, buffers: boolean): RedisOptions {
  const { url, password } = settings;
  const { host, port, db, username, password: ownPassword, tls } = parseRedisUrl(url);
  const secret = password ?? ownPassword;
  return {
    host,
    port,
    db,
    ...(username === undefined ? {} : { username }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(tls ? { tls: tlsOptions(host, settings) } : {}),
    connectionName: 'cellplane-scheduler',
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: buffers,
    // Required by BullMQ. What waits is bounded by its callers.
    maxRetriesPerRequest: null,
    ...(buffers ? {} : { commandTimeout: commandTimeoutMs }),
    retryStrategy: (attempts) => Math.min(reconnectMaxMs, 50 * 2 ** Math.min(attempts, 10)),
    // A former primary that is a replica now: the name may lead to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

/** An address is no server name (RFC 6066, 3): it is checked against the certificate's addresses. */
function tlsOptions(host: string, { ca, certificate, key }: RedisSettings): ConnectionOptions {
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What speaks to Redis: loaded only when one is configured. */
export interface RedisConnections {
  /** Fails at once while Redis is away. */
  readonly prompt: Redis;
  /** For workers, whose commands wait while Redis is away. */
  readonly patient: Redis;
  /** What was duplicated from `patient`: a worker's own connection to wait on, which BullMQ does not always let go of. */
  readonly duplicates: Set<Redis>;
  /** What `prompt` last met with since it was connected, such as a refused password: what a command meets with says only that there is none. */
  lastError(): Error | undefined;
  close(): void;
}

/**
 * Ends a connection for good, and what waits on it: BullMQ's watch over commands that wait may connect one anew after its worker
 * was closed. ioredis forgets one that is told to disconnect between two attempts to connect: it neither comes back nor ends,
 * and its commands wait for ever. That one is connected once more, which ends it either way.
 */
export function retire(connection: Redis): void {
  connection.options.retryStrategy = () => null;
  connection.on('connect', () => connection.disconnect());
  const isBetweenAttempts = connection.status === 'reconnecting';
  connection.disconnect();
  if (isBetweenAttempts) connection.connect().catch(() => {});
}

/** Connects at the first use. */
export async function openRedis(settings: RedisSettings, logger: Logger): Promise<RedisConnections> {
  const [{ Redis: Connection }, { RedisConnector: Connector }] = await Promise.all([
    import('ioredis'),
    import('./redis-connector.ts'),
  ]);
  const prompt = new Connection({ ...connectionOptions(settings, false), Connector });
  const patient = new Connection({ ...connectionOptions(settings, true), Connector });
  for (const connection of [prompt, patient]) {
    connection.on('error', (error: Error) => logger.debug({ err: error }, 'connection to Redis'));
  }
  let lastError: Error | undefined;
  prompt.on('error', (error: Error) => {
    lastError = error;
  });
  prompt.on('ready', () => {
    lastError = undefined;
  });
  const duplicates = new Set<Redis>();
  const duplicate = patient.duplicate.bind(patient);
  patient.duplicate = (override) => {
    const made = duplicate(override);
    duplicates.add(made);
    made.on('error', () => {}); // told of by `patient`
    return made;
  };
  return {
    prompt,
    patient,
    duplicates,
    lastError: () => lastError,
    close() {
      for (const one of [prompt, patient, ...duplicates]) retire(one);
    },
  };
}
