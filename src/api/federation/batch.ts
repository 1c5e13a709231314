import { badRequest } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';

/**
 * Several requests for single objects in one HTTP request: POST of frames to this path, below `/clusters/<ref>` or without.
 * An item is a request like any other, with its own authorization, admission, audit record, seat and answer; it only comes
 * and goes without HTTP around it. docs/batches.md has the contract.
 */
export const batchPath = '/batch/v1';
export const batchMediaType = 'application/vnd.cellplane.batch';

/** More in one batch is refused with 400, and nothing of it happens. */
export const batchItemsMax = 256;
/** One frame's header line; longer is refused with 400. */
const headerBytesMax = 16 * 1024;

/** What an item is answered with that has to be sent by itself; nothing of it has happened (RFC 9110, 15.5.20). */
export const notInBatch = 421;

export const batchMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type BatchMethod = (typeof batchMethods)[number];

/** One request of a batch. */
export interface BatchItem {
  readonly method: BatchMethod;
  /** With query, relative to where the batch is sent. */
  readonly path: string;
  readonly accept: string | undefined;
  readonly contentType: string | undefined;
  /** Undefined: none. */
  readonly body: Buffer | undefined;
}

/** What came of one item. */
export interface BatchAnswer {
  /** The item's place in its batch, from 0 on. */
  readonly item: number;
  readonly code: number;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

/** An item whose body is text. */
export interface BatchTextItem extends Omit<BatchItem, 'body'> {
  readonly body: string | undefined;
}

/**
 * Items as the bytes of a batch: a header line for each, and its body. Written where they are sent from: as one text all of
 * it would be copied twice more, and the text collected.
 */
export function batchBytesOf(items: readonly BatchTextItem[]): Buffer {
  const headers: string[] = [];
  let total = 0;
  for (const item of items) {
    const length = item.body === undefined ? undefined : Buffer.byteLength(item.body);
    const header = headerText(item, length);
    headers.push(header);
    total += Buffer.byteLength(header) + (length ?? 0);
  }
  const bytes = Buffer.allocUnsafe(total);
  let at = 0;
  let index = 0;
  for (const { body } of items) {
    at += bytes.write(headers[index++] as string, at);
    if (body !== undefined) at += bytes.write(body, at);
  }
  return bytes;
}

function headerText(
  { method, path, accept, contentType }: BatchTextItem,
  length: number | undefined,
): string {
  let header = `{"method":"${method}","path":${JSON.stringify(path)}`;
  if (accept !== undefined) header += `,"accept":${JSON.stringify(accept)}`;
  if (contentType !== undefined) header += `,"contentType":${JSON.stringify(contentType)}`;
  return length === undefined ? `${header}}\n` : `${header},"length":${length}}\n`;
}

/** Members of an answer for people who look. */
export interface BatchAnswerExtras {
  readonly auditId?: string | undefined;
  readonly retryAfter?: string | undefined;
  readonly warnings?: string | readonly string[] | undefined;
}

/** The header line of an answer. */
export function batchAnswerLine(
  item: number,
  code: number,
  contentType: string | undefined,
  length: number,
  { auditId, retryAfter, warnings }: BatchAnswerExtras = {},
): string {
  // Written out: JSON.stringify of a small object takes several times as long as of its texts.
  let line = `{"item":${item},"code":${code}`;
  if (contentType !== undefined) line += `,"contentType":${JSON.stringify(contentType)}`;
  line += `,"length":${length}`;
  if (auditId !== undefined) line += `,"auditId":${JSON.stringify(auditId)}`;
  if (retryAfter !== undefined) line += `,"retryAfter":${JSON.stringify(retryAfter)}`;
  if (warnings !== undefined) line += `,"warnings":${JSON.stringify(warnings)}`;
  return `${line}}\n`;
}

/** A frame: what its header line says, and the bytes behind it. */
export interface BatchFrame {
  readonly header: JsonObject;
  readonly body: Buffer;
}

const lineFeed = 0x0a;

/** Takes frames out of bytes as they come. Bodies are views of what was pushed wherever they lie in one piece. */
export class BatchDecoder {
  #rest: Buffer | undefined;
  #wantedBytes = 0;

  /** Whether what came last ended with a frame. */
  get isBetweenFrames(): boolean {
    return this.#rest === undefined;
  }

  /** The frames that are whole by now. Throws ApiError `BadRequest` for what is no frame. */
  push(chunk: Buffer): BatchFrame[] {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    const frames: BatchFrame[] = [];
    let at = 0;
    // What lies in many pieces is not looked at again with each of them.
    while (at < bytes.length && bytes.length - at >= this.#wantedBytes) {
      const end = bytes.indexOf(lineFeed, at);
      const headerBytes = (end < 0 ? bytes.length : end) - at;
      if (headerBytes > headerBytesMax) {
        throw badRequest(`the header of a frame is longer than ${headerBytesMax} bytes`);
      }
      if (end < 0) break;
      const header = headerOf(bytes.toString('utf8', at, end));
      const frameBytes = headerBytes + 1 + lengthOf(header);
      this.#wantedBytes = frameBytes;
      if (bytes.length - at < frameBytes) break;
      frames.push({ header, body: bytes.subarray(end + 1, at + frameBytes) });
      at += frameBytes;
      this.#wantedBytes = 0;
    }
    if (at < bytes.length) this.#rest = at === 0 ? bytes : bytes.subarray(at);
    return frames;
  }
}

function headerOf(line: string): JsonObject {
  let header: unknown;
  try {
    header = JSON.parse(line);
  } catch {
    header = undefined; // told below
  }
  if (!isJsonObject(header)) throw badRequest('the header of a frame must be one line with a JSON object');
  return header;
}

function lengthOf(header: JsonObject): number {
  const length = header['length'] ?? 0;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
    throw badRequest('the length of a frame must be a number of bytes');
  }
  return length;
}

/** The items of a batch that is there as a whole. Throws ApiError `BadRequest` for anything else. */
export function batchItemsOf(bytes: Buffer): BatchItem[] {
  const decoder = new BatchDecoder();
  const frames = decoder.push(bytes);
  if (!decoder.isBetweenFrames) throw badRequest('the batch ends within a frame');
  if (frames.length > batchItemsMax) throw badRequest(`a batch has at most ${batchItemsMax} items`);
  return frames.map(itemOf);
}

function itemOf({ header, body }: BatchFrame): BatchItem {
  const { method, path, accept, contentType } = header;
  const known = batchMethods.find((one) => one === method);
  if (known === undefined)
    throw badRequest(`the method of an item must be one of ${batchMethods.join(', ')}`);
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw badRequest('the path of an item must begin with /');
  return {
    method: known,
    path,
    accept: textOf(accept, 'accept'),
    contentType: textOf(contentType, 'contentType'),
    body: body.length === 0 ? undefined : body,
  };
}

function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw badRequest(`${name} of an item must be text`);
}

/** Throws ApiError `BadRequest` for a frame that is no answer. */
export function batchAnswerOf({ header, body }: BatchFrame): BatchAnswer {
  const { item, code, contentType } = header;
  if (typeof item !== 'number' || typeof code !== 'number') {
    throw badRequest('the header of an answer must tell its item and its code');
  }
  return { item, code, contentType: textOf(contentType, 'contentType'), body };
}
