import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ChunkReader } from './chunk-reader.ts';

/** A turn of the event loop in which the stream has done all that it can. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('chunks come in order, before and after they are asked for, and then the end', async () => {
  const stream = new PassThrough();
  const reader = new ChunkReader(stream);
  const first = reader.read();
  assert.ok(first instanceof Promise);
  stream.write('a');
  assert.equal(String(await first), 'a');
  stream.write('b');
  stream.write('c');
  stream.end();
  await turn();
  assert.equal(String(await reader.read()), 'b');
  assert.equal(String(await reader.read()), 'c');
  assert.equal(await reader.read(), undefined);
  assert.equal(await reader.read(), undefined);
});

test('what nobody reads waits in the stream', async () => {
  const stream = new PassThrough();
  const reader = new ChunkReader(stream);
  const chunk = Buffer.alloc(16 * 1024, 'x');
  let isFull = false;
  for (let written = 0; written < 64 && !isFull; written++) {
    isFull = !stream.write(chunk);
    await turn();
  }
  assert.equal(isFull, true, 'the writer is told to wait');
  let bytes = 0;
  stream.end();
  for (let got = await reader.read(); got !== undefined; got = await reader.read()) bytes += got.length;
  assert.equal(bytes % chunk.length, 0);
  assert.ok(bytes >= 64 * 1024 && bytes < 32 * chunk.length, `${bytes} bytes were taken`);
});

test('an error, and an end that comes too early, are told after what came before them', async () => {
  const broken = new PassThrough();
  const ofBroken = new ChunkReader(broken);
  broken.write('a');
  await turn();
  broken.destroy(new Error('reset'));
  await turn();
  assert.equal(String(await ofBroken.read()), 'a');
  await assert.rejects(async () => ofBroken.read(), /reset/);

  const cut = new PassThrough();
  const ofCut = new ChunkReader(cut);
  const waiting = ofCut.read();
  cut.destroy();
  await assert.rejects(async () => waiting, /closed before its end/);
});

test('once it is closed the stream is given up, whatever still comes of it', async () => {
  const stream = new PassThrough();
  const reader = new ChunkReader(stream);
  stream.write('a');
  await turn();
  reader.close();
  reader.close();
  assert.equal(stream.destroyed, true);
  await turn();
  await assert.rejects(async () => reader.read(), /closed before its end/);
});
