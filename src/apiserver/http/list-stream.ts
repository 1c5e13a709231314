import { createGzip, type Gzip } from 'node:zlib';
import type { JsonObject } from '#apimachinery/json.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { servedApiVersion } from '../registry/conversion.ts';
import type { ListResult } from '../verbs/result.ts';
import type { Exchange } from './exchange.ts';
import type { FormCache } from './form-cache.ts';
import type { HttpLimits } from './limits.ts';
import type { Form } from './negotiate.ts';
import {
  entryJson,
  entryMetadataJson,
  includeObjectOf,
  partialMetadata,
  servedObjects,
  type TableShape,
  tableOf,
} from './object-forms.ts';
import {
  acceptsGzip,
  apiHeaders,
  contentTypeOf,
  gzipLevel,
  prettyJson,
  sendBody,
  wantsPretty,
} from './respond.ts';
import { toYaml } from './yaml-text.ts';

/** Bytes gathered before they are written. */
const chunkBytes = 128 * 1024;
/** A stretch of rendering after which other requests get their turn (DESIGN.md: none over 20 ms). */
const sliceMs = 5;
/** Objects between two looks at the clock. */
const entriesPerLook = 16;

const comma = Buffer.from(',');

/**
 * Sends a list piece by piece: entries are taken, rendered and written as the client reads, other requests get their
 * turn in between, and memory holds a chunk, not the list. What is known only at the end (continue, the remaining
 * count) stands at the end: JSON objects have no order. A short list is one write with its length.
 */
export async function sendList(
  exchange: Exchange,
  result: ListResult,
  form: Form,
  forms: FormCache,
  limits: HttpLimits,
): Promise<void> {
  const pieces = piecesOf(exchange, result, form, forms);
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

/** Stands between pieces where the loop may be yielded. */
const pause = Symbol('pause');
type Piece = Buffer | typeof pause;

function* piecesOf(exchange: Exchange, result: ListResult, form: Form, forms: FormCache): Generator<Piece> {
  if (form.as === 'Table') yield* tablePieces(exchange, result, form);
  else if (form.encoding === 'yaml') yield* yamlPieces(result, form);
  else yield* jsonPieces(result, form, forms);
}

function* jsonPieces(result: ListResult, form: Form, forms: FormCache): Generator<Piece> {
  const { served } = result;
  const isPartial = form.as === 'PartialObjectMetadata';
  const { kind, apiVersion } = listType(result, form);
  yield Buffer.from(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"items":[`);
  let count = 0;
  for (const entry of result.entries) {
    if (count++ > 0) yield comma;
    yield isPartial ? entryMetadataJson(entry, form) : entryJson(forms, entry, served);
    if (count % entriesPerLook === 0) yield pause;
  }
  yield Buffer.from(`],"metadata":${JSON.stringify(listMetadata(result))}}\n`);
}

function listType({ served }: ListResult, form: Form): { kind: string; apiVersion: string } {
  return form.as === 'PartialObjectMetadata'
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.metaVersion}` }
    : { kind: served.definition.listKind, apiVersion: servedApiVersion(served) };
}

function listMetadata(result: ListResult): JsonObject {
  const { continue: token, remainingItemCount } = result.page();
  return {
    resourceVersion: String(result.revision),
    ...(token === undefined ? {} : { continue: token }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  };
}

/** A Table in slices of rows; the first tells the columns. */
function* tablePieces(exchange: Exchange, result: ListResult, form: Form): Generator<Piece> {
  const includeObject = includeObjectOf(exchange);
  if (form.encoding === 'yaml') {
    const shape = { form, includeObject, withColumns: true };
    const table = tableOf(result.served, servedObjects(result.entries, result.served), {}, shape);
    yield Buffer.from(toYaml({ ...table, metadata: listMetadata(result) }));
    return;
  }
  let isFirst = true;
  let hasRows = false;
  for (const slice of slices(result.entries, entriesPerLook)) {
    const shape: TableShape = { form, includeObject, withColumns: isFirst };
    const table = tableOf(result.served, servedObjects(slice, result.served), {}, shape);
    if (isFirst) yield tableHead(table);
    isFirst = false;
    const rows = JSON.stringify(table['rows']).slice(1, -1);
    if (rows !== '') {
      yield Buffer.from(hasRows ? `,${rows}` : rows);
      hasRows = true;
    }
    yield pause;
  }
  yield Buffer.from(`],"metadata":${JSON.stringify(listMetadata(result))}}\n`);
}

function tableHead(table: JsonObject): Buffer {
  const { kind, apiVersion, columnDefinitions } = table;
  return Buffer.from(`${JSON.stringify({ kind, apiVersion, columnDefinitions }).slice(0, -1)},"rows":[`);
}

/** At least one slice, perhaps an empty one. */
function* slices(entries: Iterable<CacheEntry>, size: number): Generator<CacheEntry[]> {
  let slice: CacheEntry[] = [];
  let any = false;
  for (const entry of entries) {
    slice.push(entry);
    if (slice.length < size) continue;
    any = true;
    yield slice;
    slice = [];
  }
  if (!any || slice.length > 0) yield slice;
}

function* yamlPieces(result: ListResult, form: Form): Generator<Piece> {
  const { kind, apiVersion } = listType(result, form);
  yield Buffer.from(`apiVersion: ${apiVersion}\n`);
  let hasItems = false;
  for (const object of servedObjects(result.entries, result.served)) {
    if (!hasItems) yield Buffer.from('items:\n');
    hasItems = true;
    const shown = form.as === 'PartialObjectMetadata' ? partialMetadata(object, form) : object;
    yield Buffer.from(`- ${toYaml(shown).trimEnd().replaceAll('\n', '\n  ')}\n`);
    yield pause;
  }
  if (!hasItems) yield Buffer.from('items: []\n');
  yield Buffer.from(`kind: ${kind}\n${toYaml({ metadata: listMetadata(result) })}`);
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

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
