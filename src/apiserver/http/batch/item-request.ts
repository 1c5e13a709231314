import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BatchItem } from '#api/federation/batch.ts';
import type { ServerRequest } from '../exchange.ts';

/** An item of a batch as the chain sees requests: what belongs to the connection is the batch's. */
export class ItemRequest extends IncomingMessage {
  /** `prefix`: what comes before the item's path, as it came before the batch's. */
  constructor(batch: ServerRequest, prefix: string, { method, path, accept, contentType }: BatchItem) {
    super(batch.socket as Socket);
    this.method = method;
    this.url = prefix + path;
    this.complete = true;
    // Not the accepted encodings: an answer is compressed with the batch's or not at all.
    this.headers = {};
    const agent = batch.headers['user-agent'];
    if (agent !== undefined) this.headers['user-agent'] = agent;
    if (accept !== undefined) this.headers.accept = accept;
    if (contentType !== undefined) this.headers['content-type'] = contentType;
  }
}

/** Told once what an item is answered with. */
export type OnItemAnswer = (
  code: number,
  headers: ReadonlyMap<string, string | readonly string[]>,
  body: Buffer,
) => void;

const noBody = Buffer.alloc(0);

/** The response to an item: there is nothing below it, and its one answer goes to `onAnswer`. */
export class ItemReply extends ServerResponse {
  readonly #onAnswer: OnItemAnswer;
  #head: readonly unknown[] | undefined;

  static {
    // An accessor of Node's own that TypeScript knows as a property.
    Object.defineProperty(ItemReply.prototype, 'headersSent', {
      configurable: true,
      get(this: ItemReply): boolean {
        return this.#head !== undefined;
      },
    });
  }

  constructor(request: ItemRequest, onAnswer: OnItemAnswer) {
    super(request);
    this.#onAnswer = onAnswer;
  }

  override writeHead(code: number, ...rest: unknown[]): this {
    this.statusCode = code;
    this.#head = rest;
    return this;
  }

  override end(...parts: unknown[]): this {
    if (this.finished) return this;
    this.finished = true;
    const [body] = parts;
    const bytes = Buffer.isBuffer(body) ? body : typeof body === 'string' ? Buffer.from(body) : noBody;
    this.#onAnswer(this.statusCode, headersOf(this.#head?.at(-1)), bytes);
    this.emit('finish');
    this.#close();
    return this;
  }

  /** Ends it without an answer of its own: what cannot be told any more is told as a fault of the server. */
  override destroy(): this {
    if (!this.finished) {
      this.statusCode = 500;
      this.end();
    }
    return this;
  }

  /** Nobody waits for the answer any more. */
  abandon(): void {
    if (this.destroyed || this.finished) return;
    this.destroyed = true;
    this.#close();
  }

  #close(): void {
    this.emit('close');
  }
}

/** Both forms in which Node takes headers, names in lower case. */
function headersOf(head: unknown): Map<string, string | readonly string[]> {
  const headers = new Map<string, string | readonly string[]>();
  if (Array.isArray(head)) {
    for (let at = 0; at + 1 < head.length; at += 2)
      headers.set(String(head[at]).toLowerCase(), textOf(head[at + 1]));
  } else if (typeof head === 'object' && head !== null) {
    for (const [name, value] of Object.entries(head)) headers.set(name.toLowerCase(), textOf(value));
  }
  return headers;
}

function textOf(value: unknown): string | readonly string[] {
  return Array.isArray(value) ? value.map(String) : String(value);
}
