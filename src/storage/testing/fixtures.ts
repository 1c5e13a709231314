import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CachedStorageOptions, openCachedStorage, openWithCache } from '../cache/caching-storage.ts';
import { type LevelStorageOptions, openLevelStorage } from '../level/level-storage.ts';
import { createMemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import type { StorageFixture } from './storage-fixture.ts';

export async function memoryFixture(): Promise<StorageFixture> {
  const storage = createMemoryStorage();
  return { storage, dispose: () => storage.close() };
}

export async function cacheOverMemoryFixture(options: CachedStorageOptions = {}): Promise<StorageFixture> {
  const storage = await openCachedStorage(createMemoryStorage(), options);
  return { storage, dispose: () => storage.close() };
}

export function levelFixture(options: Partial<LevelStorageOptions> = {}): Promise<StorageFixture> {
  return onDisk((directory) => openLevelStorage({ ...options, directory }));
}

export function cacheOverLevelFixture(options: CachedStorageOptions = {}): Promise<StorageFixture> {
  return onDisk(async (directory) => openCachedStorage(await openLevelStorage({ directory }), options));
}

/** As the API server opens it: read once. */
export function cacheWithLevelFixture(options: CachedStorageOptions = {}): Promise<StorageFixture> {
  return onDisk((directory) => openWithCache((takeAll) => openLevelStorage({ directory, takeAll }), options));
}

async function onDisk(open: (directory: string) => Promise<Storage>): Promise<StorageFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'cellplane-storage-'));
  let storage = await open(directory);
  return {
    get storage() {
      return storage;
    },
    async reopen() {
      await storage.close();
      storage = await open(directory);
      return storage;
    },
    async dispose() {
      await storage.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
