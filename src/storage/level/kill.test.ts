import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { key } from '../testing/storage-fixture.ts';
import { openLevelStorage } from './level-storage.ts';

const writers = 8;
const script = fileURLToPath(new URL('../testing/crash-writer.ts', import.meta.url));

interface Acknowledged {
  readonly counts: number[];
  revision: number;
}

/** Runs the writer until it has acknowledged `linesMin` transactions, then kills it. */
async function runAndKill(directory: string, acknowledged: Acknowledged, linesMin: number): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, String(writers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [writer, count, revision] = line.split(' ').map(Number) as [number, number, number];
    acknowledged.counts[writer] = Math.max(acknowledged.counts[writer] ?? 0, count);
    acknowledged.revision = Math.max(acknowledged.revision, revision);
    if (++lines === linesMin) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
}

describe('level: kill -9 under load', () => {
  it('keeps order, atomicity and every acknowledged write, and no revision goes back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cellplane-kill-'));
    const acknowledged: Acknowledged = { counts: [], revision: 1 };
    try {
      for (const linesMin of [200, 1_500]) {
        await runAndKill(directory, acknowledged, linesMin);
        const storage = await openLevelStorage({ directory, verifyValues: true });
        assert.ok((await storage.currentRevision()) >= acknowledged.revision);
        for (let writer = 0; writer < writers; writer++) {
          const left = await storage.get(key(`/left/r/c/n/${writer}`));
          const right = await storage.get(key(`/right/r/c/n/${writer}`));
          assert.ok(left !== undefined && right !== undefined);
          assert.equal(left.revision, right.revision);
          assert.ok(left.value.equals(right.value));
          assert.ok(Number(left.value.toString().split(' ')[0]) >= (acknowledged.counts[writer] ?? 0));
        }
        await storage.close();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
