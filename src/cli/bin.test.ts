import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const projectFolder = path.resolve(import.meta.dirname, '../..');

/** Runs `bin/cellplane.js` beside a program that says `started`, or beside none, under Node.js `version`. */
async function run(options: { readonly version?: string; readonly isBuilt: boolean }) {
  const folder = await mkdtemp(path.join(tmpdir(), 'cellplane-bin-'));
  try {
    await cp(path.join(projectFolder, 'bin'), path.join(folder, 'bin'), { recursive: true });
    await cp(path.join(projectFolder, 'package.json'), path.join(folder, 'package.json'));
    await mkdir(path.join(folder, 'dist'));
    if (options.isBuilt) await writeFile(path.join(folder, 'dist/cellplane.js'), "console.log('started')");
    const node = options.version ?? process.versions.node;
    const versions = JSON.stringify({ ...process.versions, node });
    const preload = `Object.defineProperty(process, 'versions', { value: ${versions} })`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        `data:text/javascript,${encodeURIComponent(preload)}`,
        path.join(folder, 'bin/cellplane.js'),
      ],
      { encoding: 'utf8', timeout: 60_000 },
    );
    return { status, stdout, stderr };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the program is started by a version of Node.js that it can run on', async () => {
  for (const version of [undefined, '20.19.0', '21.0.0', '24.1.0']) {
    assert.deepEqual(await run({ version, isBuilt: true }), { status: 0, stdout: 'started\n', stderr: '' });
  }
});

test('by an older one it says which it needs, and no syntax error', async () => {
  for (const version of ['18.20.8', '20.18.3']) {
    const { status, stderr } = await run({ version, isBuilt: true });
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `cellplane: needs Node.js 20.19 or newer; this is ${version} (${process.execPath})\n`,
    );
  }
});

test('a program that is not built yet says how', async () => {
  const { status, stderr } = await run({ isBuilt: false });
  assert.equal(status, 1);
  assert.equal(stderr, 'cellplane: not built yet; run: npm ci && npm run build\n');
});
