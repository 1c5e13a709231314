// One fuzzing process: fed with a seed, it tries inputs until its time is over. What it is trying stands in a file, so that
// an input that hangs or kills it is known. argv: <seed> <milliseconds> <file> [words that a target's name must contain].
import { openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { objectTargets } from './object-targets.ts';
import type { Target } from './target.ts';
import { textTargets } from './text-targets.ts';

const [seedText = '1', lengthText = '5000', file = '', ...words] = process.argv.slice(2);
const journal = openSync(file, 'w');
const runsAtOnce = 50;
/** What one process may keep after all it has seen: caches are bounded, and what they hold is small. */
const growthBytesMax = 160 * 1024 * 1024;
const roundsBeforeMeasuring = 3;

function note(target: Target, input: unknown): void {
  const text = `${target.name}\n${fc.stringify(input)}\n\u0000`;
  writeSync(journal, text, 0);
}

async function attempt(target: Target, input: unknown): Promise<void> {
  note(target, input);
  try {
    await target.run(input as never);
  } catch (error) {
    if (!target.isExpected(error)) throw error;
  }
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const targets = [...textTargets, ...objectTargets].filter(({ name }) =>
  words.every((word) => name.includes(word)),
);
if (targets.length === 0) throw new Error(`no decoder is called ${words.join(' ')}`);
process.send?.({ type: 'progress', target: '', runs: 0 });
let runs = 0;
let heapBefore = 0;
// From here on: how long modules take to compile is no time for inputs.
const endMs = Date.now() + Number(lengthText);
let failures = 0;
for (let round = 0; round === 0 || Date.now() < endMs; round++) {
  if (round === roundsBeforeMeasuring) heapBefore = heapBytes();
  for (const target of targets) {
    // The first round is made whole, however long it takes: every decoder is tried.
    if (round > 0 && Date.now() >= endMs) break;
    const seed = (Number(seedText) + round) | 0;
    const property = fc.asyncProperty(target.input, (input) => attempt(target, input));
    const details = await fc.check(property, { seed, numRuns: runsAtOnce });
    runs += details.numRuns;
    if (details.failed) {
      failures++;
      const because = details.errorInstance instanceof Error ? details.errorInstance.stack : '';
      const report = `${fc.defaultReportMessage(details)}\n${because}`;
      process.send?.({ type: 'failure', target: target.name, seed, report });
    } else process.send?.({ type: 'progress', target: target.name, runs });
  }
}
const grownBytes = heapBefore === 0 ? 0 : heapBytes() - heapBefore;
if (grownBytes > growthBytesMax) {
  failures++;
  const report = `kept ${(grownBytes / 1024 / 1024).toFixed(0)} MiB over ${runs} inputs`;
  process.send?.({ type: 'failure', target: 'memory', seed: Number(seedText), report });
}
process.send?.({ type: 'done', runs, failures, grownBytes }, () => process.disconnect());
