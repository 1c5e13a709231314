import { readFile, unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '#client/logger.ts';
import type { Storage } from '#storage/storage.ts';
import type { Encryption } from './encryption.ts';
import { parseEncryptionConfiguration } from './encryption-configuration.ts';
import type { KmsProviders } from './kms-providers.ts';

/** Kubernetes looks once a minute; a rotation is no emergency, but a person waits for it. */
const lookAgainMs = 10_000;

/**
 * Takes the configuration anew when its file has changed, for as long as the server runs (KUBERNETES.md O5). What cannot
 * be read or honoured is logged and changes nothing. Returns how to stop.
 */
export function followEncryptionFile(options: {
  readonly file: string;
  readonly encryption: Encryption;
  readonly kms: KmsProviders;
  readonly storage: Pick<Storage, 'currentRevision'>;
  /** Lets all that keep opened values read them anew: some are opened otherwise now, or cannot be. */
  readonly readAnew: () => void;
  readonly logger: Logger;
  readonly intervalMs?: number | undefined;
}): () => void {
  const { file, encryption, kms, storage, readAnew, logger, intervalMs = lookAgainMs } = options;
  let stopped = false;
  const look = (): void => {
    readFile(file, 'utf8', (error, text) => {
      if (stopped) return;
      if (error !== null) {
        logger.error({ err: error, file }, 'the encryption configuration cannot be read; the last one holds');
        return;
      }
      taking = taking.then(() => (stopped ? undefined : take(text)));
    });
  };
  const take = async (text: string): Promise<void> => {
    try {
      const configuration = parseEncryptionConfiguration(text);
      const { providers, keep } = await kms.open(configuration.kms);
      const revision = await storage.currentRevision();
      keep();
      if (stopped) {
        kms.stop();
        return;
      }
      const opens = encryption.replace(configuration.rules(providers), revision);
      logger.info({ file, opens }, 'another encryption configuration holds');
      if (opens === 'some otherwise') readAnew();
    } catch (error) {
      logger.error({ err: error, file }, 'the encryption configuration cannot be used; the last one holds');
    }
  };
  // One after the other: a plugin may be waited for while the file changes again.
  let taking = Promise.resolve();
  const listener = (): void => look();
  watchFile(file, { interval: intervalMs, persistent: false }, listener);
  return () => {
    stopped = true;
    unwatchFile(file, listener);
  };
}
