import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { parseRedisUrl } from '#client/queue/redis-url.ts';
import { SoleSharing } from '#client/queue/sole-sharing.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import { UsageError } from './run-command.ts';
import { leaderSharing } from './scheduler-lease.ts';
import { readSettingFile } from './setting-file.ts';
import { setting } from './settings.ts';

export interface SharingSettings {
  readonly redis?: string;
  readonly redisPrefix: string;
  readonly redisPasswordFile?: string;
  readonly redisCa?: string;
  readonly redisCert?: string;
  readonly redisKey?: string;
  readonly leaderElect: boolean;
  readonly leaseIdentity?: string;
}

/** The flags that say how several schedulers divide the work. */
export function withSharingFlags(command: Command): Command {
  return command
    .addOption(
      setting(
        '--redis <url>',
        'Redis or Valkey by which several schedulers share the work: redis:// or rediss://[user:password@]host[:port][/db]',
        { parse: redisUrl },
      ),
    )
    .addOption(setting('--redis-prefix <text>', 'begins all keys in Redis', { default: 'cellplane' }))
    .addOption(setting('--redis-password-file <file>', 'file with the password for Redis'))
    .addOption(setting('--redis-ca <file>', 'CA of the Redis server'))
    .addOption(setting('--redis-cert <file>', 'client certificate for Redis'))
    .addOption(setting('--redis-key <file>', 'key of that certificate'))
    .addOption(
      setting<boolean>(
        '--no-leader-elect',
        'without --redis: work without holding a lease; for a scheduler that is known to be the only one',
      ),
    )
    .addOption(
      setting(
        '--lease-identity <name>',
        'who holds the lease; one that outlives a restart goes on at once (default: host name and a random part)',
      ),
    );
}

/**
 * What makes a sharing. Throws UsageError for flags that do not go together or files that cannot be read. Redis is loaded only
 * when it is given.
 */
export async function sharingOf(
  settings: SharingSettings,
  { client, clock, logger }: { readonly client: KubeClient; readonly clock: Clock; readonly logger: Logger },
): Promise<() => WorkSharing> {
  const { redis: url, redisPrefix: prefix } = settings;
  if (url !== undefined) {
    const { RedisSharing } = await import('#client/queue/redis-sharing.ts');
    const password = await readSettingFile('--redis-password-file', settings.redisPasswordFile);
    const ca = await readSettingFile('--redis-ca', settings.redisCa);
    const certificate = await readSettingFile('--redis-cert', settings.redisCert);
    const key = await readSettingFile('--redis-key', settings.redisKey);
    if ((certificate === undefined) !== (key === undefined)) {
      throw new UsageError('--redis-cert and --redis-key go together');
    }
    for (const [flag, value] of [
      ['--redis-ca', ca],
      ['--redis-cert', certificate],
    ] as const) {
      if (value !== undefined && !parseRedisUrl(url).tls)
        throw new UsageError(`${flag} needs a rediss:// URL`);
    }
    const redis = { url, password: password?.trimEnd(), ca, certificate, key };
    return () => new RedisSharing({ redis, prefix, clock, logger });
  }
  for (const [flag, value] of [
    ['--redis-password-file', settings.redisPasswordFile],
    ['--redis-ca', settings.redisCa],
    ['--redis-cert', settings.redisCert],
    ['--redis-key', settings.redisKey],
  ] as const) {
    if (value !== undefined) throw new UsageError(`${flag} needs --redis`);
  }
  if (!settings.leaderElect) return () => new SoleSharing(clock);
  const identity = settings.leaseIdentity ?? `${hostname()}_${randomUUID()}`;
  return () => leaderSharing({ client, clock, logger, identity });
}

function redisUrl(text: string): string {
  try {
    parseRedisUrl(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
