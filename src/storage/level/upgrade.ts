import type { StorageLogger } from '../logger.ts';
import type { CreateDatabase, LevelDatabase } from './database.ts';
import { databaseFolder, type Marker, writeMarker } from './marker.ts';
import { openError, openKept } from './open.ts';

/**
 * Brings what the database holds from one format to the next. It may be cut short anywhere and is then done again from its
 * beginning.
 */
export type LevelUpgrade = (database: LevelDatabase) => Promise<void>;

/** From format 1 to 2, from 2 to 3, and so on. None yet: format 1 is the first. */
export const levelUpgrades: readonly LevelUpgrade[] = [];

/** Brings a store that was made by an older program to the newest format. Returns its marker. */
export async function upgradeStore(
  directory: string,
  marker: Marker,
  {
    createDatabase,
    upgrades,
    logger,
  }: {
    readonly createDatabase: CreateDatabase;
    readonly upgrades: readonly LevelUpgrade[];
    readonly logger: StorageLogger;
  },
): Promise<Marker> {
  let upgraded = marker;
  if (marker.version > upgrades.length) return upgraded;
  // With this the logs are tables: what follows has none that it could fail to read.
  await openKept(directory, createDatabase, (found) => found.close());
  const database = createDatabase(databaseFolder(directory));
  const opened = async (work: () => Promise<void>): Promise<void> => {
    await database.open({ createIfMissing: false }).catch((error: unknown) => {
      throw openError(directory, error);
    });
    try {
      await work();
    } finally {
      await database.close();
    }
  };
  for (const upgrade of upgrades.slice(marker.version - 1)) {
    await opened(() => upgrade(database));
    // A sync reaches back only to where LevelDB began its newest log. Opening turns all logs into tables, which it syncs.
    await opened(async () => {});
    upgraded = { ...upgraded, version: upgraded.version + 1 };
    await writeMarker(directory, upgraded);
    logger.info({ directory, format: upgraded.version }, 'store was brought to a newer format');
  }
  return upgraded;
}
