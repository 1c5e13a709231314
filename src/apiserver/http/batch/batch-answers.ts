import type { ServerResponse } from 'node:http';
import { batchAnswerLine, batchMediaType } from '#api/federation/batch.ts';
import type { Exchange } from '../exchange.ts';
import { apiHeaders } from '../respond.ts';

/** Answers wait so long for others of their batch. */
const gatherMs = 2;
/** More than this does not wait. */
const gatheredBytesMax = 256 * 1024;

/**
 * Sends the answers to a batch's items: the last ones at once, others together with those that come shortly after them. A
 * write costs both ends a system call and a TLS record, whatever it holds.
 */
export class BatchAnswers {
  readonly #exchange: Exchange;
  readonly #onAll: () => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #left: number;

  /** `onAll`: called once, when every item is answered and the last answer was given to the connection. */
  constructor(exchange: Exchange, count: number, onAll: () => void) {
    this.#exchange = exchange;
    this.#left = count;
    this.#onAll = onAll;
  }

  add(
    item: number,
    code: number,
    headers: ReadonlyMap<string, string | readonly string[]>,
    body: Buffer,
  ): void {
    const line = batchAnswerLine(item, code, only(headers.get('content-type')), body.length, {
      auditId: headers.get('audit-id'),
      retryAfter: headers.get('retry-after'),
      warnings: headers.get('warning'),
    });
    const head = Buffer.from(line);
    this.#parts.push(head, body);
    this.#bytes += head.length + body.length;
    if (--this.#left === 0 || this.#bytes > gatheredBytesMax) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), gatherMs);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const isLast = this.#left === 0;
    const bytes = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    // Both kinds of response take it so; their union's types do not.
    const response = this.#exchange.response as ServerResponse;
    if (!this.#exchange.isGone) {
      if (!response.headersSent) {
        const headers = { ...apiHeaders(this.#exchange), 'Content-Type': batchMediaType };
        response.writeHead(200, isLast ? { ...headers, 'Content-Length': bytes.length } : headers);
      }
      if (isLast) response.end(bytes);
      else response.write(bytes);
    }
    if (isLast) this.#onAll();
  }
}

function only(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
