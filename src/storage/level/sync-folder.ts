import { open } from 'node:fs/promises';

/** Makes the names in a folder outlast a power cut: what was made, renamed or removed there before. Throws what the disk says. */
export async function syncFolder(path: string): Promise<void> {
  // A folder cannot be opened there, and its names need no sync.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
