// Preloaded into every test process of `npm test`: a suite that does not end is asked by SIGUSR2 what keeps it, and at its
// end it tells what processor time it cost.
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

process.on('SIGUSR2', () => {
  const counts = new Map<string, number>();
  for (const resource of process.getActiveResourcesInfo())
    counts.set(resource, (counts.get(resource) ?? 0) + 1);
  const told = [...counts].map(([resource, count]) => `${count} ${resource}`).join(', ');
  console.error(`still open: ${told}`);
});

/** Clock ticks of a second in /proc (USER_HZ, proc(5)). */
const ticksASecond = 100;

// Not in what a suite starts with node's options handed on.
if (isMainThread && process.send === undefined && process.platform === 'linux') {
  process.on('exit', () => {
    // proc(5): after the name in brackets, state is the first field, utime the twelfth, then stime, cutime, cstime.
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    writeSync(1, `# cpu seconds ${ticks / ticksASecond}\n`);
  });
}
