import { writeSync } from 'node:fs';

const pauseMs = 1;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes a line to the standard output before it returns: what a process has said counts even when it is killed next. A pipe
 * that nobody empties just now is waited for.
 */
export function writeLine(text: string): void {
  let rest = Buffer.from(`${text}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(nobodyWakes, 0, 0, pauseMs);
    }
  }
}
