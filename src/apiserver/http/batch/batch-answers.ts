import type { ServerResponse } from 'node:http';
import { batchAnswerLine, batchMediaType } from '#api/federation/batch.ts';
import { copyBytes } from '#apimachinery/copy-bytes.ts';
import { apiHeaders } from '../answers/respond.ts';
import type { Exchange } from '../exchange.ts';
import type { ItemAnswer } from './item-request.ts';

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
  /** Lines, each with its body behind it. */
  #parts: (string | Buffer)[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #left: number;

  /** `onAll`: called once, when every item is answered and the last answer was given to the connection. */
  constructor(exchange: Exchange, count: number, onAll: () => void) {
    this.#exchange = exchange;
    this.#left = count;
    this.#onAll = onAll;
  }

  add(item: number, { code, contentType, auditId, retryAfter, warnings, body }: ItemAnswer): void {
    const more = { auditId, retryAfter, warnings };
    const line = batchAnswerLine(item, code, contentType, body.length, more);
    this.#parts.push(line, body);
    this.#bytes += Buffer.byteLength(line) + body.length;
    if (--this.#left === 0 || this.#bytes > gatheredBytesMax) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), gatherMs);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const isLast = this.#left === 0;
    const bytes = joined(this.#parts, this.#bytes);
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

/** `bytes`: what all of them have. */
function joined(parts: readonly (string | Buffer)[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const part of parts) {
    at += typeof part === 'string' ? whole.write(part, at) : copyBytes(part, whole, at);
  }
  return whole;
}
