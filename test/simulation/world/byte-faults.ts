import type { Random } from '../../harness/random.ts';

/** What becomes of the bytes of an answer, each as often as its weight says. */
const byteFaults = {
  /** The connection breaks within it. */
  'answer cut': 4,
  /** It ends within its body as if it were whole: a proxy that tells no length. */
  'answer ended early': 3,
  /** Its length, or that of a piece, is not what it says. */
  'wrong length': 3,
  /** A proxy's page stands in its place; what was asked for is done. */
  'page of a proxy': 3,
  /** It comes in small pieces. */
  'in pieces': 3,
} as const;

/** A connection is attempted twice: what may be asked twice is, and either answer counts. */
export const doubledConnection = 'connection doubled';
export type ByteFault = keyof typeof byteFaults;

export const byteFaultNames: readonly string[] = [...Object.keys(byteFaults), doubledConnection];

export function drawByteFault(random: Random): ByteFault {
  return random.weighted(byteFaults);
}

/** Where the bytes of an answer go. */
export interface AnswerSink {
  bytes(bytes: Buffer): void;
  /** The sender has nothing more to say. */
  end(): void;
  reset(): void;
  /** Told at the moment from which the client gets something else than what was sent. */
  struck(fault: ByteFault): void;
}

const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');
const pages = [200, 403, 404, 500, 502, 503, 504] as const;
/** Flushes of an answer that pass before it is struck. */
const passMax = 6;
const piecesMax = 60;
const pieceBytesMax = 40;
const lengthErrorMax = 200;

/** An answer of HTTP/1.1 on its way through what damages it. */
export class StruckAnswer {
  readonly #fault: ByteFault;
  readonly #random: Random;
  readonly #sink: AnswerSink;
  #pass: number;
  #held: Buffer = Buffer.alloc(0);
  #body: BodyReader | undefined;
  #isOver = false;

  constructor(fault: ByteFault, random: Random, sink: AnswerSink) {
    this.#fault = fault;
    this.#random = random;
    this.#sink = sink;
    this.#pass = random.next() < 0.6 ? 0 : random.between(1, passMax);
  }

  /** What the server has sent at once. */
  write(flush: Buffer): void {
    if (this.#isOver) return;
    if (this.#fault === 'answer cut') this.#cut(flush);
    else if (this.#fault === 'in pieces') this.#tear(flush);
    else if (this.#fault === 'page of a proxy') this.#replace();
    else if (this.#body !== undefined) this.#endEarly(this.#body.push(flush));
    else this.#readHead(flush);
  }

  #readHead(flush: Buffer): void {
    this.#held = Buffer.concat([this.#held, flush]);
    const at = this.#held.indexOf(headEnd);
    if (at < 0) return;
    const head = this.#held.subarray(0, at).toString('latin1').split('\r\n');
    const rest = this.#held.subarray(at + headEnd.length);
    if (this.#fault === 'wrong length') {
      this.#misstate(head, rest);
      return;
    }
    this.#body = new BodyReader(isChunked(head));
    const kept = head.filter(
      (line) => !/^(?:content-length|transfer-encoding|connection|keep-alive):/i.test(line),
    );
    this.#send([...kept, 'Connection: close']);
    if (rest.length > 0) this.#endEarly(this.#body.push(rest));
  }

  #cut(flush: Buffer): void {
    if (this.#pass-- > 0) {
      this.#sink.bytes(flush);
      return;
    }
    this.#strike();
    this.#sink.bytes(flush.subarray(0, this.#random.between(0, flush.length - 1)));
    this.#sink.reset();
    this.#isOver = true;
  }

  #tear(flush: Buffer): void {
    if (flush.length > 1) this.#strike();
    let at = 0;
    for (let pieces = 0; pieces < piecesMax && at < flush.length; pieces++) {
      const bytes = this.#random.between(1, pieceBytesMax);
      this.#sink.bytes(flush.subarray(at, at + bytes));
      at += bytes;
    }
    if (at < flush.length) this.#sink.bytes(flush.subarray(at));
  }

  #replace(): void {
    this.#strike();
    const code = this.#random.pick(pages);
    const page = `<html><head><title>${code}</title></head>\r\n<body>\r\n<hr><center>proxy</center>\r\n</body></html>\r\n`;
    this.#sink.bytes(
      Buffer.from(
        `HTTP/1.1 ${code} Told by a proxy\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n` +
          `Connection: close\r\n\r\n${page}`,
        'latin1',
      ),
    );
    this.#finish();
  }

  #endEarly({ bytes, isWhole }: { readonly bytes: Buffer; readonly isWhole: boolean }): void {
    if (bytes.length > 0 && this.#pass-- <= 0) {
      this.#strike();
      this.#sink.bytes(bytes.subarray(0, this.#random.between(0, bytes.length - 1)));
      this.#finish();
      return;
    }
    if (bytes.length > 0) this.#sink.bytes(bytes);
    if (isWhole) this.#finish();
  }

  #misstate(head: readonly string[], body: Buffer): void {
    if (isChunked(head)) {
      const end = body.indexOf(lineEnd);
      // The head went out alone: the first piece comes.
      if (end < 0) return;
      const length = Number.parseInt(body.subarray(0, end).toString('latin1'), 16);
      this.#strike();
      this.#send(head);
      this.#sink.bytes(Buffer.from(this.#wrong(length).toString(16), 'latin1'));
      this.#sink.bytes(body.subarray(end));
    } else {
      const line = head.findIndex((one) => /^content-length:/i.test(one));
      const told = /\d+$/.exec(head[line] ?? '')?.[0];
      if (told !== undefined) {
        this.#strike();
        this.#send(head.with(line, `Content-Length: ${this.#wrong(Number(told))}`));
      } else this.#send(head);
      this.#sink.bytes(body);
      if (this.#random.next() < 0.5) this.#finish();
    }
    this.#pass = Number.POSITIVE_INFINITY; // the rest passes as it is
    this.#body = new BodyReader(false);
  }

  #wrong(length: number): number {
    if (length > 0 && this.#random.next() < 0.5) return this.#random.between(0, length - 1);
    return length + this.#random.between(1, lengthErrorMax);
  }

  #send(head: readonly string[]): void {
    this.#sink.bytes(Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'));
  }

  #strike(): void {
    this.#sink.struck(this.#fault);
  }

  #finish(): void {
    this.#isOver = true;
    this.#sink.end();
  }
}

function isChunked(head: readonly string[]): boolean {
  return head.some((line) => /^transfer-encoding:\s*chunked/i.test(line));
}

/** A body's bytes out of its pieces (RFC 9112, 7.1), or as they are. */
class BodyReader {
  readonly #isChunked: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunked: boolean) {
    this.#isChunked = chunked;
  }

  push(flush: Buffer): { readonly bytes: Buffer; readonly isWhole: boolean } {
    if (!this.#isChunked) return { bytes: flush, isWhole: false };
    let bytes = Buffer.concat([this.#rest, flush]);
    const parts: Buffer[] = [];
    for (;;) {
      const end = bytes.indexOf(lineEnd);
      if (end < 0) break;
      const length = Number.parseInt(bytes.subarray(0, end).toString('latin1'), 16);
      if (length === 0) return { bytes: Buffer.concat(parts), isWhole: true };
      const next = end + 2 * lineEnd.length + length;
      if (bytes.length < next) break;
      parts.push(bytes.subarray(end + lineEnd.length, next - lineEnd.length));
      bytes = bytes.subarray(next);
    }
    this.#rest = bytes;
    return { bytes: Buffer.concat(parts), isWhole: false };
  }
}
