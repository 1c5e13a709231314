import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { BatchItem } from '#api/federation/batch.ts';
import type { ServerRequest } from '../exchange.ts';

type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'complete' | 'httpVersionMajor'>;

/**
 * An item of a batch as the chain sees requests: what belongs to the connection is the batch's. What an IncomingMessage has
 * beside it, a stream, would cost as much as finding out what is asked; its body is there already.
 */
export class ItemRequest implements RequestHead {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly complete = true;
  readonly httpVersionMajor = 1;
  readonly socket: ServerRequest['socket'];

  /** `prefix`: what comes before the item's path, as it came before the batch's. */
  constructor(batch: ServerRequest, prefix: string, { method, path, accept, contentType }: BatchItem) {
    this.method = method;
    this.url = prefix + path;
    this.socket = batch.socket;
    // Not the accepted encodings: an answer is compressed with the batch's or not at all.
    this.headers = { 'user-agent': batch.headers['user-agent'], accept, 'content-type': contentType };
  }

  /** There is nothing to be given up: the connection is the batch's. */
  destroy(): this {
    return this;
  }
}

/** What an item is answered with, as far as a batch tells it. */
export class ItemAnswer {
  readonly code: number;
  readonly body: Buffer;
  contentType: string | undefined = undefined;
  auditId: string | undefined = undefined;
  retryAfter: string | undefined = undefined;
  warnings: string | readonly string[] | undefined = undefined;

  /** `head`: headers in either form in which Node takes them. */
  constructor(code: number, head: unknown, body: Buffer) {
    this.code = code;
    this.body = body;
    if (Array.isArray(head)) {
      for (let at = 0; at + 1 < head.length; at += 2) this.#take(head[at], head[at + 1]);
    } else if (typeof head === 'object' && head !== null) {
      for (const [name, value] of Object.entries(head)) this.#take(name, value);
    }
  }

  /** Names as the server writes them (respond.ts). */
  #take(name: unknown, value: unknown): void {
    if (name === 'Content-Type') this.contentType = String(value);
    else if (name === 'Audit-Id') this.auditId = String(value);
    else if (name === 'Retry-After') this.retryAfter = String(value);
    else if (name === 'Warning') this.warnings = Array.isArray(value) ? value.map(String) : String(value);
  }
}

const noBody = Buffer.alloc(0);

/**
 * The response to an item: there is nothing below it, and its one answer goes to `onAnswer`. It has what the chain uses of a
 * ServerResponse for an answer that is one document.
 */
export class ItemReply extends EventEmitter {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  readonly #item: number;
  readonly #onAnswer: (item: number, answer: ItemAnswer) => void;
  #head: unknown;

  /** `item`: its place in the batch, from 0 on. */
  constructor(item: number, onAnswer: (item: number, answer: ItemAnswer) => void) {
    super();
    this.#item = item;
    this.#onAnswer = onAnswer;
  }

  writeHead(code: number, ...rest: unknown[]): this {
    this.statusCode = code;
    this.headersSent = true;
    this.#head = rest.at(-1);
    return this;
  }

  end(body?: unknown): this {
    if (this.writableEnded) return this;
    this.headersSent = true;
    this.writableEnded = true;
    const bytes = Buffer.isBuffer(body) ? body : typeof body === 'string' ? Buffer.from(body) : noBody;
    this.#onAnswer(this.#item, new ItemAnswer(this.statusCode, this.#head, bytes));
    this.emit('finish');
    this.emit('close');
    return this;
  }

  /** Ends it without an answer of its own: what cannot be told any more is told as a fault of the server. */
  destroy(): this {
    if (!this.writableEnded) {
      this.statusCode = 500;
      this.end();
    }
    return this;
  }

  /** Nobody waits for the answer any more. */
  abandon(): void {
    if (this.destroyed || this.writableEnded) return;
    this.destroyed = true;
    this.emit('close');
  }
}
