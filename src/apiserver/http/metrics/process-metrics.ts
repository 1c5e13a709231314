import { readdirSync, readFileSync } from 'node:fs';
import { MetricText } from '#client/metrics/metric-text.ts';

/** What Prometheus' and Node's dashboards ask of a process, read when it is asked for. Linux only: the `process_` ones. */
export function processMetrics(): string {
  const text = new MetricText();
  const openFiles = openFileCount();
  if (openFiles !== undefined) text.gauge('process_open_fds', 'Open file descriptors.', openFiles);
  const filesMax = numberIn('/proc/self/limits', /^Max open files +(\d+)/m);
  if (filesMax !== undefined) text.gauge('process_max_fds', 'How many there may be.', filesMax);
  const virtualKiB = numberIn('/proc/self/status', /^VmSize:\s+(\d+) kB$/m);
  if (virtualKiB !== undefined)
    text.gauge('process_virtual_memory_bytes', 'Size of the address space.', virtualKiB * 1_024);
  const { heapTotal, heapUsed, external } = process.memoryUsage();
  text.gauge('nodejs_heap_size_total_bytes', 'Size of the JavaScript heap.', heapTotal);
  text.gauge('nodejs_heap_size_used_bytes', 'What of it is used.', heapUsed);
  text.gauge('nodejs_external_memory_bytes', 'Memory beside it that its objects hold.', external);
  const { active, idle } = performance.eventLoopUtilization();
  text.counter('nodejs_eventloop_active_seconds_total', 'How long the event loop worked.', active / 1_000);
  text.counter('nodejs_eventloop_idle_seconds_total', 'How long it waited.', idle / 1_000);
  text.gauge('nodejs_version_info', 'Version of Node.js.', 1, { version: process.version });
  return text.toString();
}

function openFileCount(): number | undefined {
  try {
    // Less the one that reads them.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function numberIn(file: string, pattern: RegExp): number | undefined {
  try {
    const match = pattern.exec(readFileSync(file, 'utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}
