// The load generator's process: requests as ready bytes at a steady rate over plain TLS sockets.
import tls from 'node:tls';
import {
  type PacedOrder,
  type PacedResult,
  type PacedRun,
  type PacedTarget,
  sharedNowMs,
  turnMark,
} from './paced-job.ts';
import { indexMark } from './raw-job.ts';

const headEnd = '\r\n\r\n';
const lengthHeader = 'content-length: ';

/** One request at a time over each connection; what finds none free waits in order. */
class Sender {
  readonly #target: PacedTarget;
  readonly #parts: readonly string[];
  #free: tls.TLSSocket[] = [];
  readonly #waiting: number[] = [];
  #underWay = 0;
  #failed = 0;
  #failure: string | undefined;
  #onIdle: (() => void) | undefined;

  constructor(target: PacedTarget) {
    this.#target = target;
    // A part is a mark or what stands between marks.
    this.#parts = target.template.split(new RegExp(`(${indexMark}|${turnMark})`));
  }

  /** Servers close connections that rest: there are new ones for each run. */
  async connect(): Promise<void> {
    this.#free = await Promise.all(Array.from({ length: this.#target.connections }, () => this.#connect()));
  }

  async run({ from, count, perSecond }: PacedRun): Promise<PacedResult> {
    const sentAtMs: number[] = [];
    this.#failed = 0;
    this.#failure = undefined;
    const startedMs = sharedNowMs();
    await new Promise<void>((resolve) => {
      const tick = (): void => {
        const nowMs = sharedNowMs();
        while (sentAtMs.length < count) {
          const dueMs = startedMs + (sentAtMs.length * 1_000) / perSecond;
          if (dueMs > nowMs) break;
          this.#send(from + sentAtMs.length);
          sentAtMs.push(dueMs);
        }
        const nextMs = startedMs + (sentAtMs.length * 1_000) / perSecond;
        if (sentAtMs.length < count) setTimeout(tick, Math.max(1, nextMs - sharedNowMs()));
        else resolve();
      };
      tick();
    });
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    for (const socket of this.#free.splice(0)) socket.removeAllListeners('close').destroy();
    return { sentAtMs, failed: this.#failed, failure: this.#failure };
  }

  #send(index: number): void {
    this.#underWay++;
    // Each in its turn, so that none rests until the server closes it.
    const socket = this.#free.shift();
    if (socket === undefined) this.#waiting.push(index);
    else this.#write(socket, index);
  }

  #write(socket: tls.TLSSocket, index: number): void {
    const name = String(index).padStart(indexMark.length, '0');
    const { turns } = this.#target;
    const turn = turns[index % turns.length] ?? '';
    let text = '';
    for (const part of this.#parts) text += part === indexMark ? name : part === turnMark ? turn : part;
    socket.write(text, 'latin1');
  }

  #answered(socket: tls.TLSSocket, head: string): void {
    if (head.charCodeAt(9) !== 0x32) {
      this.#failed++;
      this.#failure ??= head;
    }
    this.#underWay--;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(socket);
    else this.#write(socket, next);
    if (this.#underWay > 0) return;
    this.#onIdle?.();
    this.#onIdle = undefined;
  }

  #connect(): Promise<tls.TLSSocket> {
    const { host, port, caPem, certificatePem, keyPem } = this.#target;
    return new Promise((resolve, reject) => {
      const socket = tls.connect(
        { host, port, ca: caPem, cert: certificatePem, key: keyPem, ALPNProtocols: ['http/1.1'] },
        () => resolve(socket),
      );
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('close', () => fail(new Error('the server closed a connection')));
      /** Bytes of the answer that are still to come; undefined while its head is. */
      let left: number | undefined;
      let head = '';
      socket.on('data', (chunk: Buffer) => {
        if (left === undefined) {
          head += chunk.toString('latin1');
          const end = head.indexOf(headEnd);
          if (end < 0) return;
          left = end + headEnd.length + lengthOf(head) - head.length;
        } else left -= chunk.length;
        if (left > 0) return;
        const answer = head;
        left = undefined;
        head = '';
        this.#answered(socket, answer);
      });
    });
  }
}

function lengthOf(head: string): number {
  const at = head.toLowerCase().indexOf(lengthHeader);
  if (at < 0) throw new Error(`an answer without a length:\n${head}`);
  return Number.parseInt(head.slice(at + lengthHeader.length, at + lengthHeader.length + 12), 10);
}

function fail(error: unknown): void {
  process.send?.({ error: String(error) }, () => process.exit(1));
}

let sender: Sender | undefined;
process.on('message', ({ target, connect, run }: PacedOrder) => {
  if (target !== undefined) sender = new Sender(target);
  if (connect === true) sender?.connect().then(() => process.send?.({}), fail);
  if (run !== undefined) sender?.run(run).then((result) => process.send?.({ result }), fail);
});
process.once('disconnect', () => process.exit());
