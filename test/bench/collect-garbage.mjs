// Loaded into a server that is measured: at SIGUSR2 it collects its garbage and tells what is left.
import { renameSync, writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';

const file = process.env.BENCH_MEMORY_FILE;
if (file !== undefined) {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  process.on('SIGUSR2', () => {
    collect();
    collect();
    // The allocator gives pages back, and other threads end their part, a little later.
    setTimeout(() => {
      writeFileSync(`${file}.partial`, JSON.stringify(process.memoryUsage()));
      // Whole or not there.
      renameSync(`${file}.partial`, file);
    }, 500);
  });
}
