import v8 from 'node:v8';

/**
 * Keeps V8 from making objects old at their birth. It does so for places in the code whose objects once lived long, as
 * they do while the server starts, and never takes it back. Where it is a place that every request comes by, each
 * request's one old object keeps the request itself until the next full collection, and every scavenge copies all of them:
 * decision 146 has figures. To be called before anything else runs; affects the whole process.
 */
export function letObjectsBeBornYoung(): void {
  v8.setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * Has V8 collect the whole heap only when it has doubled. Where little is allocated it does so each time that some ten
 * megabytes were added, also outside of the heap, as by an edge whose answers do not end: ten milliseconds and more, and
 * half a core of other threads, for which everybody waits. Price: up to twice the memory. As above, for the whole process.
 */
export function collectAllRarely(): void {
  v8.setFlagsFromString('--heap-growing-percent=100');
}

/**
 * For who starts a scheduler: V8 takes the size of its young generation at a process's start alone. What is under way while many
 * objects are decided fills much of the 16 MiB that are usual, and each of its collections copies it: decision 214 has figures.
 */
export const schedulerNodeOptions = '--max-semi-space-size=64';
