import { errors } from 'undici';
import { ApiError, type StatusDetails, type StatusReason, statusCodeOf } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';

const reasonOfCode = new Map<number, StatusReason>([
  [400, 'BadRequest'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'NotFound'],
  [405, 'MethodNotAllowed'],
  [406, 'NotAcceptable'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [413, 'RequestEntityTooLarge'],
  [415, 'UnsupportedMediaType'],
  [422, 'Invalid'],
  [429, 'TooManyRequests'],
  [503, 'ServiceUnavailable'],
  [504, 'Timeout'],
]);

/** Turns a server's refusal into the ApiError it stands for; answers that are no Status are told by their code. */
export function errorFromAnswer(code: number, body: Buffer): ApiError {
  let parsed: JsonValue | undefined;
  try {
    parsed = JSON.parse(body.toString('utf8')) as JsonValue;
  } catch {
    parsed = undefined; // a proxy's page or plain text: told by its code below
  }
  if (isJsonObject(parsed) && parsed['kind'] === 'Status') return errorFromStatus(parsed, code);
  const page = pageTitle(body);
  const message = page === undefined ? messageOfText(code, body) : messageOfPage(code, page);
  // Whoever made a page does not know the object: that it is gone, or another's, is not theirs to say.
  if (page !== undefined && objectCodes.has(code)) return new ApiError('ServiceUnavailable', message);
  return new ApiError(reasonOfCode.get(code) ?? 'InternalError', message, { code });
}

const objectCodes: ReadonlySet<number> = new Set([404, 409, 410]);

const textBytesMax = 512;
const pageBytesMax = 4096;

function messageOfPage(code: number, page: string): string {
  return `HTTP ${code} with an HTML page${page === '' ? '' : `: ${page}`}`;
}

/** One line, whatever it was: it goes into conditions, logs and tables. */
function messageOfText(code: number, body: Buffer): string {
  const text = lineOf(body.subarray(0, textBytesMax).toString('utf8'));
  return text === '' ? `HTTP ${code}` : text;
}

/** What the page of a proxy before the server is headed; '' when it does not say, undefined when it is no page. */
function pageTitle(body: Buffer): string | undefined {
  let start = body.subarray(0, pageBytesMax).toString('utf8').trimStart();
  // Not by one expression: a server that lies could make it try every way to part the comments.
  for (let end = 0; start.startsWith('<!--') && end >= 0; ) {
    end = start.indexOf('-->');
    if (end >= 0) start = start.slice(end + 3).trimStart();
  }
  if (!/^(?:<\?xml\b[^>]*>\s*)?<(?:!doctype\s+html|html|head|title|body)\b/i.test(start)) return undefined;
  const [, title = ''] = /<title\b[^<>]*>([^<]*)/i.exec(start) ?? [];
  const [, heading = ''] = /<h1\b[^<>]*>([^<]*)/i.exec(start) ?? [];
  return plain(title) || plain(heading);
}

const entities = new Map([
  ['amp', '&'],
  ['gt', '>'],
  ['lt', '<'],
  ['nbsp', ' '],
  ['quot', '"'],
  ['#39', "'"],
]);

function plain(html: string): string {
  const decoded = html.replace(/&(#39|[a-z]+);/g, (whole, name: string) => entities.get(name) ?? whole);
  return lineOf(decoded).slice(0, 200);
}

/** Control characters count as blanks: what a server sends does not steer a terminal. */
function lineOf(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

export function errorFromStatus(status: { readonly [key: string]: unknown }, httpCode?: number): ApiError {
  const code = typeof status['code'] === 'number' ? status['code'] : (httpCode ?? 500);
  const named = status['reason'];
  const reason =
    typeof named === 'string' && Object.hasOwn(statusCodeOf, named)
      ? (named as StatusReason)
      : (reasonOfCode.get(code) ?? 'InternalError');
  const message = typeof status['message'] === 'string' ? status['message'] : `HTTP ${code}`;
  return new ApiError(reason, message, {
    code,
    details: isJsonObject(status['details']) ? (status['details'] as StatusDetails) : undefined,
  });
}

/** The server could not be reached, the connection broke before an answer, or the answer was larger than its limit. */
export function errorFromNetwork(server: string, cause: unknown): ApiError {
  if (cause instanceof errors.ResponseExceededMaxSizeError) {
    return new ApiError('RequestEntityTooLarge', `${server} answered with more than is accepted`, { cause });
  }
  const text = cause instanceof Error ? describe(cause) : String(cause);
  return new ApiError('ServiceUnavailable', `cannot reach ${server}: ${text}`, { cause });
}

function describe(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  const inner = error.cause instanceof Error ? `: ${describe(error.cause)}` : '';
  return code === undefined || error.message.includes(code)
    ? `${error.message}${inner}`
    : `${code} ${error.message}${inner}`;
}
