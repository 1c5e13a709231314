import path from 'node:path';
import { projectDefinitions } from '#api/policy/definitions.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { Auditor } from '#apiserver/audit/audit.ts';
import { AuditLog, type AuditSink } from '#apiserver/audit/audit-log.ts';
import { AuditPolicy } from '#apiserver/audit/audit-policy.ts';
import { AuditWebhook, teeSink } from '#apiserver/audit/audit-webhook.ts';
import { EncryptedStorage, openedPages } from '#apiserver/encryption/encrypted-storage.ts';
import { followEncryptionFile } from '#apiserver/encryption/encryption-file.ts';
import { KmsProviders } from '#apiserver/encryption/kms-providers.ts';
import type { HealthCheck } from '#apiserver/http/health.ts';
import { ensurePki, issueClientCertificate, PkiError, type ServerPki } from '#apiserver/pki/pki.ts';
import { checkSharedPki } from '#apiserver/pki/shared-pki.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import { startServer } from '#apiserver/server.ts';
import type { Logger } from '#client/logger.ts';
import { openWithCache } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import type { EtcdAccess } from '#storage/etcd/etcd-connection.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage, TakeAll } from '#storage/storage.ts';
import { kubeconfigConnection } from './connect.ts';
import { freePort } from './free-port.ts';
import { renderKubeconfig, writePrivateFile } from './kubeconfig-file.ts';
import { makeFolder } from './make-folder.ts';
import { type Running, UsageError } from './run-command.ts';
import { readEncryption, readSecurity, type SecurityFlags } from './security-settings.ts';
import { parseSettingFile, readSettingFile } from './setting-file.ts';
import { version } from './version.ts';

export interface ApiServerSettings {
  readonly mode: 'federation' | 'edge';
  readonly dataDirectory: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly externalHost?: string | undefined;
  readonly storage: StorageSettings;
  /** Default `<dataDirectory>/pki`. */
  readonly pkiDirectory?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly security: SecurityFlags;
  /** audit.k8s.io/v1 Policy, and the file for its events (`-`: standard output). */
  readonly auditPolicyFile?: string | undefined;
  readonly auditLogPath?: string | undefined;
  /** Kubeconfig of a webhook for its events, beside the file or in its place. */
  readonly auditWebhookConfigFile?: string | undefined;
  /** How long the server serves on after it was told to stop, not ready already. Default 0. */
  readonly shutdownDelayMs?: number | undefined;
  readonly logger: Logger;
}

/** Where the server keeps its objects. Files are PEM. */
export type StorageSettings =
  | { readonly kind: 'level' | 'memory' }
  | {
      readonly kind: 'etcd';
      readonly endpoints: readonly string[];
      readonly prefix: string;
      readonly caFile?: string | undefined;
      readonly certFile?: string | undefined;
      readonly keyFile?: string | undefined;
      readonly username?: string | undefined;
      readonly passwordFile?: string | undefined;
    };

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
  await makeFolder(dataDirectory, 'data folder');
  const externalHost = settings.externalHost ?? (isWildcard(bindAddress) ? '127.0.0.1' : bindAddress);
  const pkiDirectory = settings.pkiDirectory ?? path.join(dataDirectory, 'pki');
  const readPki = () => readKeys(pkiDirectory, externalHost);
  const kms = new KmsProviders({ logger });
  const encryption = await readEncryption(settings.security, kms);
  let backupSource: Storage | undefined;
  let readAnew = () => {};
  const opening = openWithCache(
    async (takeAll) => {
      if (encryption === undefined) {
        return openStorage(settings.storage, dataDirectory, logger, { takeAll });
      }
      const sealed = await openStorage(settings.storage, dataDirectory, logger, {
        takeAll: (pages) => takeAll(openedPages(pages, encryption)),
      });
      // A backup holds what the store holds: sealed values stay sealed.
      backupSource = sealed;
      const opened = new EncryptedStorage(sealed, encryption);
      readAnew = () => opened.reopenAll();
      kms.onRecovery = readAnew;
      return opened;
    },
    { logger },
  );
  const [pki, storage, tokenFile] = await Promise.all([
    readPki(),
    opening,
    readSettingFile('--token-file', settings.tokenFile),
  ]).catch(async (error: unknown) => {
    kms.stop();
    await opening.then((opened) => opened.close()).catch(() => {});
    throw error;
  });
  kms.onNewKey = () => {
    storage.currentRevision().then(
      (revision) => encryption?.keyChanged(revision),
      (error: unknown) => logger.error({ err: error }, 'which values have the former key is not known'),
    );
  };
  // URLs are written into objects before the server listens: 0 must be a number by then.
  const port = settings.port === 0 ? await freePort(bindAddress, 0, 'the API server') : settings.port;
  const isShared = settings.storage.kind === 'etcd';
  const start = async () => {
    const security = await readSecurity(settings.security, logger);
    const auditor = await openAuditor(settings);
    if (isShared) await toldInOneLine(checkSharedPki(storage, pki, pkiDirectory));
    return startServer({
      mode: settings.mode,
      storage,
      pki,
      renewPki: readPki,
      bindAddress,
      port,
      externalHost,
      projectDefinitions: projectDefinitions(),
      tokenFile,
      ...security,
      isStale: encryption === undefined ? undefined : (entry) => encryption.isStale(entry),
      backupSource,
      // There from the start, for the file may come to name a plugin.
      healthChecks: encryption === undefined ? [] : [kmsCheck(kms)],
      auditor,
      version,
      clock: systemClock,
      logger,
      shutdownDelayMs: settings.shutdownDelayMs,
    });
  };
  const server = await start().catch(async (error: unknown) => {
    kms.stop();
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
  const { encryptionProviderConfig: file } = settings.security;
  const unfollow =
    encryption === undefined || file === undefined
      ? () => {}
      : followEncryptionFile({ file, encryption, kms, storage, readAnew, logger });
  const stop = async () => {
    unfollow();
    await server.stop();
    kms.stop();
  };
  return { port: server.port, url: server.url, adminKubeconfig, stop };
}

/** As upstream names it where the configuration is read again. A restart would not help. */
function kmsCheck(kms: KmsProviders): HealthCheck {
  return { name: 'kms-providers', kind: 'readyz', check: () => kms.check() };
}

/** Throws UsageError for keys and certificates that cannot be used. */
async function readKeys(directory: string, host: string): Promise<ServerPki> {
  return toldInOneLine(ensurePki({ directory, hosts: [host], now: new Date() }));
}

async function toldInOneLine<T>(keys: Promise<T>): Promise<T> {
  try {
    return await keys;
  } catch (error) {
    if (error instanceof PkiError) throw new UsageError(error.message);
    throw error;
  }
}

/** Throws UsageError for a policy or a file that cannot be used. */
async function openAuditor(settings: ApiServerSettings): Promise<Auditor | undefined> {
  const { auditPolicyFile, auditLogPath, auditWebhookConfigFile, logger } = settings;
  const hasSink = auditLogPath !== undefined || auditWebhookConfigFile !== undefined;
  if (auditPolicyFile === undefined && !hasSink) return undefined;
  if (auditPolicyFile === undefined || !hasSink) {
    throw new UsageError(
      '--audit-policy-file goes together with --audit-log-path, --audit-webhook-config-file or both',
    );
  }
  const policy = await parseSettingFile('--audit-policy-file', auditPolicyFile, (text) =>
    AuditPolicy.parse(text),
  );
  const sinks: AuditSink[] = [];
  if (auditLogPath !== undefined) {
    try {
      sinks.push(new AuditLog({ path: auditLogPath, logger }));
    } catch (error) {
      throw new UsageError(`--audit-log-path ${auditLogPath}: ${(error as Error).message}`);
    }
  }
  if (auditWebhookConfigFile !== undefined) {
    const connection = await kubeconfigConnection(auditWebhookConfigFile);
    sinks.push(new AuditWebhook({ connection, logger }));
  }
  return new Auditor(policy, teeSink(sinks));
}

/**
 * The store that the settings name; one that can hands what it holds to `takeAll` meanwhile. Throws UsageError for one
 * that cannot be used, or must exist and does not.
 */
export async function openStorage(
  settings: StorageSettings,
  dataDirectory: string,
  logger: Logger,
  { mustExist = false, takeAll }: { readonly mustExist?: boolean; readonly takeAll?: TakeAll } = {},
): Promise<Storage> {
  const createIfMissing = !mustExist;
  try {
    switch (settings.kind) {
      case 'memory':
        return createMemoryStorage();
      case 'level':
        return await openLevelStorage({
          directory: path.join(dataDirectory, 'store'),
          createIfMissing,
          takeAll,
          logger,
        });
      case 'etcd': {
        // Its gRPC library takes a tenth of a second to load.
        const [{ openEtcdStorage }, access] = await Promise.all([
          import('#storage/etcd/etcd-storage.ts'),
          etcdAccess(settings),
        ]);
        const { prefix } = settings;
        return await openEtcdStorage({ ...access, prefix, createIfMissing, clock: systemClock, logger });
      }
    }
  } catch (error) {
    if (isStorageError(error)) throw new UsageError(error.message);
    throw error;
  }
}

/** What the settings say of how to reach etcd, with the files read. */
export async function etcdAccess(settings: Extract<StorageSettings, { kind: 'etcd' }>): Promise<EtcdAccess> {
  const [caPem, certPem, keyPem, password] = await Promise.all([
    readSettingFile('--etcd-ca', settings.caFile),
    readSettingFile('--etcd-cert', settings.certFile),
    readSettingFile('--etcd-key', settings.keyFile),
    readSettingFile('--etcd-password-file', settings.passwordFile),
  ]);
  return {
    endpoints: settings.endpoints,
    caPem,
    certPem,
    keyPem,
    username: settings.username,
    password: password?.replace(/\r?\n$/, ''),
  };
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
