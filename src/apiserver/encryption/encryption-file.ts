import { readFile, unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '#client/logger.ts';
import type { Storage } from '#storage/storage.ts';
import type { Encryption } from './encryption.ts';
import { parseEncryptionConfiguration } from './encryption-configuration.ts';

/** Kubernetes looks once a minute; a rotation is no emergency, but a person waits for it. */
const lookAgainMs = 10_000;

/**
 * Takes the configuration anew when its file has changed, for as long as the server runs (KUBERNETES.md O5). What cannot
 * be read or honoured is logged and changes nothing. Returns how to stop.
 */
export function followEncryptionFile(options: {
  readonly file: string;
  readonly encryption: Encryption;
  readonly storage: Pick<Storage, 'currentRevision'>;
  readonly logger: Logger;
  readonly intervalMs?: number | undefined;
}): () => void {
  const { file, encryption, storage, logger, intervalMs = lookAgainMs } = options;
  let stopped = false;
  const look = (): void => {
    readFile(file, 'utf8', (error, text) => {
      if (stopped) return;
      if (error !== null) {
        logger.error({ err: error, file }, 'the encryption configuration cannot be read; the last one holds');
        return;
      }
      void take(text);
    });
  };
  const take = async (text: string): Promise<void> => {
    try {
      const rules = parseEncryptionConfiguration(text);
      const revision = await storage.currentRevision();
      if (stopped) return;
      encryption.replace(rules, revision);
      logger.info({ file }, 'another encryption configuration holds');
    } catch (error) {
      logger.error({ err: error, file }, 'the encryption configuration cannot be used; the last one holds');
    }
  };
  const listener = (): void => look();
  watchFile(file, { interval: intervalMs, persistent: false }, listener);
  return () => {
    stopped = true;
    unwatchFile(file, listener);
  };
}
