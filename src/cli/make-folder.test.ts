import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './make-folder.ts';
import { UsageError } from './run-command.ts';

test('folders are made, told apart from files, and refused with their name', async () => {
  const base = await mkdtemp(path.join(os.tmpdir(), 'cellplane-folder-'));
  try {
    const deep = path.join(base, 'a', 'b', 'c');
    await Promise.all([makeFolder(deep, 'folder'), makeFolder(deep, 'folder')]);
    assert.equal((await stat(deep)).mode & 0o777, 0o700);
    await makeFolder(deep, 'folder');
    const file = path.join(base, 'file');
    await writeFile(file, '');
    const refused = (at: string) => (error: unknown) =>
      error instanceof UsageError && error.message.startsWith(`data folder ${at} cannot be used: `);
    for (const at of [
      file,
      path.join(file, 'below'),
      ...(os.platform() === 'linux' ? ['/proc/nope/x'] : []),
    ]) {
      await assert.rejects(makeFolder(at, 'data folder'), refused(at), at);
    }
  } finally {
    await rm(base, { recursive: true });
  }
});
