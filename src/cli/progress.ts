import type { WriteStream } from 'node:tty';

const barWidth = 24;
const intervalMs = 100;

/** A bar on a terminal that says how far a long command is; silent where the output is no terminal. */
export class Progress {
  readonly #stream: Pick<WriteStream, 'write' | 'isTTY'>;
  readonly #now: () => number;
  readonly #startedMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** `stream`: standard error, so that standard output can be data. `now`: milliseconds, for tests. */
  constructor(
    stream: Pick<WriteStream, 'write' | 'isTTY'> = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.#stream = stream;
    this.#now = now;
    this.#startedMs = now();
  }

  /** `total` undefined: not known. */
  report(what: string, done: number, total: number | undefined): void {
    const nowMs = this.#now();
    const isEnd = total !== undefined && done >= total;
    if (!this.#stream.isTTY || (nowMs - this.#shownMs < intervalMs && !isEnd)) return;
    this.#shownMs = nowMs;
    this.#shown = true;
    const rate = Math.round(done / Math.max(0.001, (nowMs - this.#startedMs) / 1_000));
    this.#stream.write(`\r\x1b[2K${what} ${barOf(done, total)} objects, ${count(rate)}/s`);
  }

  /** To be called before anything else is written. */
  end(): void {
    if (this.#shown) this.#stream.write('\r\x1b[2K');
    this.#shown = false;
  }
}

function barOf(done: number, total: number | undefined): string {
  if (total === undefined) return count(done);
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  const bar = '#'.repeat(filled) + '.'.repeat(barWidth - filled);
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %, ${count(done)} of ${count(total)}`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
