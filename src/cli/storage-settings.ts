import { type Command, InvalidArgumentError } from 'commander';
import type { StorageSettings } from './compose.ts';
import { UsageError } from './run-command.ts';
import { setting } from './settings.ts';

export interface StorageFlags {
  readonly storage: StorageSettings['kind'];
  readonly etcdServers?: readonly string[];
  readonly etcdPrefix: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUsername?: string;
  readonly etcdPasswordFile?: string;
}

/** The flags that say which store is meant. */
export function withStorageFlags(command: Command, kinds: readonly StorageSettings['kind'][]): Command {
  const meaning = {
    level: 'level: embedded, durable',
    etcd: 'etcd: an etcd cluster that several servers share',
    memory: 'memory: lost at exit, for tests',
  };
  return withEtcdFlags(
    command.addOption(
      setting('--storage <kind>', kinds.map((kind) => meaning[kind]).join('; '), {
        choices: kinds,
        default: kinds[0] ?? 'level',
      }),
    ),
  );
}

/** The flags that say which etcd is meant, and where in it. */
export function withEtcdFlags(command: Command): Command {
  return command
    .addOption(
      setting('--etcd-servers <urls>', 'https://host:port of each etcd member, separated by commas', {
        parse: parseUrls,
      }),
    )
    .addOption(setting('--etcd-prefix <prefix>', 'where in etcd the store lies', { default: '/cellplane' }))
    .addOption(setting('--etcd-ca <file>', 'CA of the etcd members'))
    .addOption(setting('--etcd-cert <file>', 'client certificate for etcd'))
    .addOption(setting('--etcd-key <file>', 'key of the client certificate'))
    .addOption(setting('--etcd-username <name>', 'user for etcd, where it asks for one'))
    .addOption(setting('--etcd-password-file <file>', 'file with that user\u2019s password'));
}

/** Throws UsageError for flags that do not go together. */
export function storageSettings(flags: StorageFlags): StorageSettings {
  if (flags.storage !== 'etcd') {
    if (flags.etcdServers !== undefined) throw new UsageError('--etcd-servers needs --storage etcd');
    return { kind: flags.storage };
  }
  if (flags.etcdServers === undefined) throw new UsageError('--storage etcd needs --etcd-servers');
  return {
    kind: 'etcd',
    endpoints: flags.etcdServers,
    prefix: flags.etcdPrefix,
    caFile: flags.etcdCa,
    certFile: flags.etcdCert,
    keyFile: flags.etcdKey,
    username: flags.etcdUsername,
    passwordFile: flags.etcdPasswordFile,
  };
}

/** The same settings as flags, for a process that is started with them. */
export function storageArgs(flags: StorageFlags): string[] {
  const args = ['--storage', flags.storage];
  if (storageSettings(flags).kind !== 'etcd') return args;
  const given: readonly (readonly [string, string | undefined])[] = [
    ['--etcd-servers', flags.etcdServers?.join(',')],
    ['--etcd-prefix', flags.etcdPrefix],
    ['--etcd-ca', flags.etcdCa],
    ['--etcd-cert', flags.etcdCert],
    ['--etcd-key', flags.etcdKey],
    ['--etcd-username', flags.etcdUsername],
    ['--etcd-password-file', flags.etcdPasswordFile],
  ];
  for (const [flag, value] of given) if (value !== undefined) args.push(flag, value);
  return args;
}

function parseUrls(text: string): readonly string[] {
  const urls = text.split(',').map((url) => url.trim());
  if (urls.some((url) => !URL.canParse(url))) {
    throw new InvalidArgumentError('must be URLs such as https://10.0.0.1:2379, separated by commas');
  }
  return urls;
}
