import { createGzip, type Gzip } from 'node:zlib';
import type { ListResult } from '../../verbs/result.ts';
import type { Exchange } from '../exchange.ts';
import type { HttpLimits } from '../limits.ts';
import type { FormCache } from './form-cache.ts';
import { type Piece, pause, piecesOf } from './list-pieces.ts';
import type { Form } from './negotiate.ts';
import { measureProtobufList, protobufPieces } from './protobuf-list.ts';
import {
  acceptsGzip,
  apiHeaders,
  contentTypeOf,
  gzipLevel,
  prettyJson,
  sendBody,
  wantsPretty,
} from './respond.ts';
import { nextTurn, sliceMs } from './slices.ts';

/** Bytes gathered before they are written. */
const chunkBytes = 128 * 1024;

/**
 * Sends a list piece by piece: entries are taken, rendered and written as the client reads, other requests get their
 * turn in between, and memory holds a chunk, not the list. What is known only at the end (continue, the remaining
 * count) stands at the end: JSON objects have no order. A short list is one write with its length. Protobuf alone is
 * encoded before it is sent, since its length stands first.
 */
export async function sendList(
  exchange: Exchange,
  result: ListResult,
  form: Form,
  forms: FormCache,
  limits: HttpLimits,
): Promise<void> {
  let pieces: Iterable<Piece>;
  if (form.encoding === 'protobuf') {
    const list = await measureProtobufList(exchange, result, form, forms);
    if (exchange.isGone) return;
    pieces = protobufPieces(list);
  } else {
    pieces = piecesOf(exchange, result, form, forms);
  }
  if (form.encoding === 'json' && wantsPretty(exchange)) {
    const body = await gather(exchange, pieces);
    if (!exchange.isGone)
      await sendBody(exchange, 200, contentTypeOf(form), prettyJson(body), limits.gzipBytesMin);
    return;
  }
  const writer = new ListWriter(exchange, form, limits);
  let sliceStart = performance.now();
  for (const piece of pieces) {
    if (piece === pause) {
      if (performance.now() - sliceStart < sliceMs) continue;
      await nextTurn();
      sliceStart = performance.now();
    } else {
      const full = writer.add(piece);
      if (full !== undefined) {
        await full;
        sliceStart = performance.now();
      }
    }
    if (exchange.isGone) return;
  }
  await writer.end();
}

async function gather(exchange: Exchange, pieces: Iterable<Piece>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sliceStart = performance.now();
  for (const piece of pieces) {
    if (piece !== pause) {
      parts.push(piece);
    } else if (performance.now() - sliceStart >= sliceMs) {
      await nextTurn();
      if (exchange.isGone) break;
      sliceStart = performance.now();
    }
  }
  return Buffer.concat(parts);
}

/** Gathers pieces into chunks; decides at the first full one whether the answer streams, and whether compressed. */
class ListWriter {
  readonly #exchange: Exchange;
  readonly #form: Form;
  readonly #limits: HttpLimits;
  #parts: Buffer[] = [];
  #bytes = 0;
  #streaming = false;
  #gzip: Gzip | undefined;

  constructor(exchange: Exchange, form: Form, limits: HttpLimits) {
    this.#exchange = exchange;
    this.#form = form;
    this.#limits = limits;
  }

  /** A promise when the client has to catch up first. */
  add(piece: Buffer): Promise<void> | undefined {
    this.#parts.push(piece);
    this.#bytes += piece.length;
    return this.#bytes < chunkBytes ? undefined : this.#flush();
  }

  async end(): Promise<void> {
    if (!this.#streaming) {
      const body = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#bytes);
      await sendBody(this.#exchange, 200, contentTypeOf(this.#form), body, this.#limits.gzipBytesMin);
      return;
    }
    await this.#flush();
    const { response } = this.#exchange;
    if (this.#gzip !== undefined) {
      const gzip = this.#gzip;
      await this.#orGone(new Promise<void>((resolve) => response.once('finish', resolve)), () => gzip.end());
    } else if (!this.#exchange.isGone) {
      response.end();
    }
  }

  #begin(): void {
    this.#streaming = true;
    const { response } = this.#exchange;
    const headers = apiHeaders(this.#exchange);
    headers['Content-Type'] = contentTypeOf(this.#form);
    const compress = acceptsGzip(this.#exchange) && this.#limits.gzipBytesMin <= chunkBytes;
    if (compress) {
      headers['Content-Encoding'] = 'gzip';
      headers['Vary'] = 'Accept-Encoding';
    }
    response.writeHead(200, headers);
    if (!compress || this.#exchange.request.method === 'HEAD') return;
    this.#gzip = createGzip({ level: gzipLevel });
    this.#gzip.on('data', (bytes: Buffer) => {
      this.#exchange.sentBytes += bytes.length;
    });
    this.#gzip.pipe(response as NodeJS.WritableStream);
    // When the client goes, the compressor goes too.
    response.once('close', () => this.#gzip?.destroy());
  }

  async #flush(): Promise<void> {
    if (!this.#streaming) this.#begin();
    const chunk = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    const target: NodeJS.WritableStream = this.#gzip ?? (this.#exchange.response as NodeJS.WritableStream);
    if (chunk.length === 0 || this.#exchange.isGone) return;
    if (this.#gzip === undefined) this.#exchange.sentBytes += chunk.length;
    if (target.write(chunk)) return;
    await this.#orGone(new Promise<void>((resolve) => target.once('drain', resolve)), () => {});
  }

  /** Waits for the client, but not for one that takes nothing any more. */
  async #orGone(done: Promise<void>, begin: () => void): Promise<void> {
    const { response } = this.#exchange;
    let timer: NodeJS.Timeout | undefined;
    let onClose = (): void => {};
    const gone = new Promise<void>((resolve) => {
      onClose = resolve;
      response.once('close', onClose);
      timer = setTimeout(() => {
        response.destroy();
        resolve();
      }, this.#limits.writeStallMs);
    });
    begin();
    await Promise.race([done, gone]);
    clearTimeout(timer);
    response.off('close', onClose);
  }
}
