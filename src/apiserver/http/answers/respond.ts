import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { encodeProtobuf } from '../../protobuf/encode-object.ts';
import { protobufMediaType } from '../../protobuf/protobuf.ts';
import { hasBody } from '../body.ts';
import type { Exchange, ServerRequest } from '../exchange.ts';
import type { PreparedResponse } from '../prepared-response.ts';
import { type Form, negotiateError, rawErrorForm } from './negotiate.ts';
import { answerWhole, isStream } from './whole-answer.ts';
import { toYaml } from './yaml-text.ts';

const gzipAsync = promisify(gzip);

/** Fast enough that a big list costs the client's link more than our core (Kubernetes uses level 1 too). */
export const gzipLevel = 1;

const cacheControl = 'no-cache, private';
const schemaHeader = 'X-Kubernetes-PF-FlowSchema-UID';
const levelHeader = 'X-Kubernetes-PF-PriorityLevel-UID';

type Headers = { [name: string]: string | number | string[] };

/** The headers that every answer of the API carries (N6). */
export function apiHeaders(exchange: Exchange): Headers {
  const { flow } = exchange;
  const headers: Headers = { 'Audit-Id': exchange.auditId, 'Cache-Control': cacheControl };
  if (flow !== undefined) {
    headers[schemaHeader] = flow.schema.uid;
    headers[levelHeader] = flow.level.uid;
  }
  if (exchange.hasWarnings) headers['Warning'] = warningHeaders(exchange.warnings);
  return headers;
}

/** Those of them that an answer which is another server's bears too. */
export function frontHeaders({ flow }: Exchange): { readonly [name: string]: string } {
  const headers = { 'cache-control': cacheControl };
  if (flow === undefined) return headers;
  return {
    ...headers,
    [schemaHeader.toLowerCase()]: flow.schema.uid,
    [levelHeader.toLowerCase()]: flow.level.uid,
  };
}

const warningBytesMax = 4096;

/** RFC 7234 warn-code 299, quoted; each text once, all of them together bounded as in Kubernetes. */
function warningHeaders(warnings: readonly string[]): string[] {
  const lines: string[] = [];
  let bytes = 0;
  for (const text of new Set(warnings)) {
    const clean = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').replace(/[\\"]/g, '\\$&');
    // UTF-8 on the wire, as Go sends it: one latin-1 character a byte.
    const line = Buffer.from(`299 - "${clean}"`, 'utf8').toString('latin1');
    bytes += line.length;
    if (bytes > warningBytesMax) break;
    lines.push(line);
  }
  return lines;
}

const contentTypes: { readonly [encoding in Form['encoding']]: string } = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: protobufMediaType,
};

export function contentTypeOf(form: Form): string {
  return contentTypes[form.encoding];
}

/** Sends a whole body, compressed where it is large and the client takes that (N5). */
export function sendBody(
  exchange: Exchange,
  code: number,
  contentType: string,
  body: Buffer,
  gzipBytesMin: number,
): Promise<void> | undefined {
  if (body.length > gzipBytesMin && acceptsGzip(exchange))
    return sendCompressed(exchange, code, contentType, body);
  // The one answer that is given tens of thousands of times a second.
  if (isStream(exchange)) {
    const headers = apiHeaders(exchange);
    headers['Content-Type'] = contentType;
    headers['Content-Length'] = body.length;
    answerWhole(exchange, code, headers, body);
    return undefined;
  }
  const { flow, response } = exchange;
  exchange.sentBytes = body.length;
  // A flat list costs Node 7 µs less than an object.
  const headers: (string | string[])[] = [
    'Audit-Id',
    exchange.auditId,
    'Cache-Control',
    cacheControl,
    'Content-Type',
    contentType,
    'Content-Length',
    String(body.length),
  ];
  if (flow !== undefined) headers.push(schemaHeader, flow.schema.uid, levelHeader, flow.level.uid);
  if (exchange.hasWarnings) headers.push('Warning', warningHeaders(exchange.warnings));
  // HTTP/2's own response class takes a flat list too; its types do not say so.
  (response as ServerResponse).writeHead(code, headers).end(body);
  return undefined;
}

async function sendCompressed(
  exchange: Exchange,
  code: number,
  contentType: string,
  body: Buffer,
): Promise<void> {
  const compressed = await gzipAsync(body, { level: gzipLevel });
  if (exchange.isGone) return;
  const headers = {
    ...apiHeaders(exchange),
    'Content-Type': contentType,
    'Content-Encoding': 'gzip',
    Vary: 'Accept-Encoding',
    'Content-Length': compressed.length,
  };
  answerWhole(exchange, code, headers, compressed);
}

export function acceptsGzip(exchange: Exchange): boolean {
  const accepted = exchange.request.headers['accept-encoding'];
  return (
    typeof accepted === 'string' &&
    /(?:^|,)\s*(?:gzip|\*)\s*(?!;\s*q=0(?:\.0*)?\s*(?:,|$))(?:;|,|$)/.test(accepted)
  );
}

/** Whether the answer is to be indented: asked for, or a person seems to be reading (N5). */
export function wantsPretty(exchange: Exchange): boolean {
  const { info, request } = exchange;
  if (info.rawQuery.includes('pretty')) {
    const asked = info.query.get('pretty');
    if (asked !== null) return /^(?:1|t|true)$/i.test(asked);
  }
  const agent = request.headers['user-agent'];
  if (agent === undefined) return false;
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0');
}

export function prettyJson(body: Buffer): Buffer {
  return Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')), null, 2));
}

/** Go's net/http draws the same line. */
const discardedBytesMax = 256 * 1024;

function isShort(request: ServerRequest): boolean {
  if (!hasBody(request)) return true;
  const length = request.headers['content-length'];
  return length !== undefined && Number(length) <= discardedBytesMax;
}

/** Sends an error as a Status, in the form that the client reads (E1). Does nothing once an answer has begun. */
export function sendError(exchange: Exchange, error: ApiError): void {
  const { response, request } = exchange;
  if (response.headersSent || exchange.isGone) {
    response.destroy();
    return;
  }
  const status = error.toStatus();
  const form = negotiateError(request.headers.accept);
  let body = encodeStatus(status, form);
  // Where no request could be read from it, nobody asks.
  const asksPretty = exchange.info !== undefined && wantsPretty(exchange);
  if (form.encoding === 'json' && (asksPretty || form === rawErrorForm)) body = prettyJson(body);
  const headers = apiHeaders(exchange);
  headers['Content-Type'] = contentTypeOf(form);
  headers['Content-Length'] = body.length;
  headers['X-Content-Type-Options'] = 'nosniff';
  const retryAfter = error.details?.retryAfterSeconds;
  if (retryAfter !== undefined) headers['Retry-After'] = retryAfter;
  // What is left of a body is thrown away by Node; where that is much, the connection goes instead.
  if (!request.complete && !exchange.isHttp2 && !isShort(request)) headers['Connection'] = 'close';
  answerWhole(exchange, error.code, headers, body);
}

/** A Status in the form's encoding. */
export function encodeStatus(status: JsonObject, { encoding }: Form): Buffer {
  if (encoding === 'protobuf') return encodeProtobuf(status);
  return Buffer.from(encoding === 'yaml' ? toYaml(status) : `${JSON.stringify(status)}\n`);
}

/** Plain text: health, unknown paths (E4), overload. */
export function sendText(exchange: Exchange, code: number, text: string, extraHeaders: Headers = {}): void {
  const { response } = exchange;
  if (response.headersSent || exchange.isGone) return;
  const body = Buffer.from(text);
  const headers = {
    ...apiHeaders(exchange),
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    'X-Content-Type-Options': 'nosniff',
    ...extraHeaders,
  };
  answerWhole(exchange, code, headers, body);
}

/** KUBERNETES.md E4. */
export function sendNotFound(exchange: Exchange): void {
  sendText(exchange, 404, '404 page not found\n');
}

/** 429 with the words that kube-apiserver has for it (KUBERNETES.md O2). */
export function sendTooMany(exchange: Exchange, retryAfterSeconds: number): void {
  sendText(exchange, 429, 'Too many requests, please try again later.', { 'Retry-After': retryAfterSeconds });
}

const markup: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** An authorizer that was not silent by choice may have allowed it: who asks is to try again (decision 222; apiserver's InternalError). */
export function sendUndecided(exchange: Exchange, error: string): void {
  const text = `Internal Server Error: ${JSON.stringify(exchange.request.url ?? '')}: ${error}\n`;
  sendText(
    exchange,
    500,
    text.replace(/[&<>]/g, (character) => markup[character] ?? ''),
  );
}

export function sendJson(exchange: Exchange, code: number, value: JsonObject): void {
  const body = Buffer.from(JSON.stringify(value, null, wantsPretty(exchange) ? 2 : undefined));
  void sendBody(exchange, code, 'application/json', body, Number.POSITIVE_INFINITY);
}

/** Sends a document that was made elsewhere with its own headers; compressed like any other. */
export async function sendPrepared(
  exchange: Exchange,
  prepared: PreparedResponse,
  gzipBytesMin: number,
): Promise<void> {
  const { response } = exchange;
  const headers: Headers = { ...apiHeaders(exchange), ...prepared.headers };
  let body = typeof prepared.body === 'string' ? Buffer.from(prepared.body) : prepared.body;
  const isEncoded = Object.keys(prepared.headers).some((name) => name.toLowerCase() === 'content-encoding');
  if (body !== undefined && body.length > gzipBytesMin && !isEncoded && acceptsGzip(exchange)) {
    body = await compressedOnce(body);
    headers['Content-Encoding'] = 'gzip';
  }
  if (exchange.isGone) return;
  if (body !== undefined) headers['Content-Length'] = body.length;
  response.writeHead(prepared.code, headers);
  if (body === undefined) response.end();
  else response.end(body);
}

/** Discovery and OpenAPI documents are the same Buffer for everyone: they are compressed once each. */
const compressedDocuments = new WeakMap<Buffer, Promise<Buffer>>();

function compressedOnce(body: Buffer): Promise<Buffer> {
  let compressed = compressedDocuments.get(body);
  if (compressed === undefined) {
    compressed = gzipAsync(body, { level: 6 });
    compressedDocuments.set(body, compressed);
  }
  return compressed;
}
