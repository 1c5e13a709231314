import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '../programs.ts';

/** Places of the numbers in the control block of disk-shim.c. */
const places = {
  failing: 0,
  error: 1,
  skip: 2,
  times: 3,
  space: 4,
  killAt: 5,
  onlyLogs: 6,
  changes: 8,
  syncs: 9,
  writes: 10,
  failed: 11,
} as const;

export type ControlName = keyof typeof places;

/** Operations that can be made to fail; to be added up. */
export const failing = {
  write: 1,
  sync: 2,
  open: 4,
  rename: 8,
  unlink: 16,
  read: 32,
  map: 64,
  make: 128,
} as const;
export const errnos = { EIO: 5, ENOSPC: 28, EROFS: 30, EMFILE: 24 } as const;

const controlBytes = 128;

/** False when the shim can be built and loaded here, else why not. */
export const skipWithoutShim: string | false =
  process.platform !== 'linux'
    ? 'needs Linux'
    : findProgram('cc') === undefined
      ? 'cc is not installed; apt-get install gcc'
      : false;

/** Builds the shim; the path of what is to be preloaded. */
export async function buildShim(folder: string): Promise<string> {
  const source = fileURLToPath(new URL('./disk-shim.c', import.meta.url));
  const library = path.join(folder, 'disk-shim.so');
  await promisify(execFile)('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-lpthread']);
  return library;
}

/** The block of numbers by which one process steers the disk of another. */
export class DiskControl {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** A disk in health. */
  async reset(): Promise<void> {
    const file = await open(this.file, 'w', 0o600);
    try {
      const bytes = Buffer.alloc(controlBytes);
      bytes.writeBigInt64LE(-1n, places.space * 8);
      await file.write(bytes, 0, controlBytes, 0);
    } finally {
      await file.close();
    }
  }

  async set(values: Partial<Record<ControlName, number>>): Promise<void> {
    const file = await open(this.file, 'r+');
    try {
      // `failing` last: it lets the others count.
      const order = Object.entries(values).sort(([left]) => (left === 'failing' ? 1 : -1));
      for (const [name, value] of order) {
        const bytes = Buffer.alloc(8);
        bytes.writeBigInt64LE(BigInt(value));
        await file.write(bytes, 0, 8, places[name as ControlName] * 8);
      }
    } finally {
      await file.close();
    }
  }

  async get(name: ControlName): Promise<number> {
    const file = await open(this.file, 'r');
    try {
      const bytes = Buffer.alloc(8);
      await file.read(bytes, 0, 8, places[name] * 8);
      return Number(bytes.readBigInt64LE());
    } finally {
      await file.close();
    }
  }
}

/** A folder that is removed at the end. */
export async function scratchFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cellplane-faults-'));
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}
