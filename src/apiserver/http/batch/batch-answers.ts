import type { ServerResponse } from 'node:http';
import { batchAnswerLine, batchMediaType } from '#api/federation/batch.ts';
import type { Exchange } from '../exchange.ts';
import { apiHeaders } from '../respond.ts';

/** Sends the answers to a batch's items as they come, those of one turn of the event loop in one write. */
export class BatchAnswers {
  readonly #exchange: Exchange;
  readonly #onAll: () => void;
  #parts: Buffer[] = [];
  #isScheduled = false;
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
    this.#parts.push(Buffer.from(line), body);
    this.#left--;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#isScheduled = false;
    const { response, isGone } = this.#exchange;
    const parts = this.#parts;
    this.#parts = [];
    if (!isGone) {
      if (!response.headersSent) {
        response.writeHead(200, { ...apiHeaders(this.#exchange), 'Content-Type': batchMediaType });
      }
      const bytes = Buffer.concat(parts);
      // Both kinds of response take it so; their union's types do not.
      if (this.#left > 0) (response as ServerResponse).write(bytes);
      else response.end(bytes);
    }
    if (this.#left === 0) this.#onAll();
  }
}

function only(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
