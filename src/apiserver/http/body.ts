import { ApiError } from '#apimachinery/api-error.ts';
import type { ServerRequest } from './exchange.ts';

/**
 * How long the rest of a body that is too large is read, and thrown away, before it is refused: who is answered and closed
 * in the middle of sending mostly sees no answer, only that the connection is gone.
 */
const drainMs = 10_000;

/**
 * Reads a request's body whole: undefined when there is none. 413 when it is over `bytesMax` (O4), at its end or once as much
 * again has come, 415 for a content encoding, 400 when the client goes away before its end.
 */
export function readBody(request: ServerRequest, bytesMax: number): Promise<Buffer> | undefined {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new ApiError(
      'UnsupportedMediaType',
      `content encoding ${JSON.stringify(encoding)} is not supported`,
    );
  }
  if (!hasBody(request)) return undefined;
  const length = request.headers['content-length'];
  const isTooLarge = length !== undefined && Number(length) > bytesMax;
  // A stream of HTTP/2 can be refused in the middle; of far too much the end is not waited for.
  if (isTooLarge && ('stream' in request || Number(length) > 2 * bytesMax)) throw tooLarge(bytesMax);
  return collect(request, bytesMax, isTooLarge);
}

/** Whether a body follows the headers, read or not. */
export function hasBody(request: ServerRequest): boolean {
  const length = request.headers['content-length'];
  return length === undefined ? mayHaveBody(request) : length !== '0';
}

/** Without a length: HTTP/1.1 says so by chunked transfer, HTTP/2 by not ending the stream with the headers. */
function mayHaveBody(request: ServerRequest): boolean {
  if ('stream' in request) return !request.stream.endAfterHeaders;
  return request.headers['transfer-encoding'] !== undefined;
}

function collect(request: ServerRequest, bytesMax: number, isKnownTooLarge: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isSettled = false;
    let isTooLarge = false;
    let drained: NodeJS.Timeout | undefined;
    const refuse = (): void => {
      clearTimeout(drained);
      if (isSettled) return;
      isSettled = true;
      reject(tooLarge(bytesMax));
    };
    const drain = (): void => {
      isTooLarge = true;
      chunks.length = 0;
      if ('stream' in request) refuse();
      else drained = setTimeout(refuse, drainMs).unref();
    };
    if (isKnownTooLarge) drain();
    // Every request closes, mostly after its end: the listeners stay, which is cheaper than taking five away.
    const onGone = (): void => {
      clearTimeout(drained);
      if (isSettled) return;
      isSettled = true;
      reject(new ApiError('BadRequest', 'the request ended before its body did'));
    };
    request.on('data', (chunk: Buffer) => {
      // Of a body that is too large the rest is thrown away; an answer before its end closes the connection.
      if (isSettled) return;
      bytes += chunk.length;
      if (isTooLarge) {
        if (bytes > 2 * bytesMax) refuse();
      } else if (bytes <= bytesMax) chunks.push(chunk);
      else drain();
    });
    request.on('end', () => {
      if (isTooLarge) refuse();
      if (isSettled) return;
      isSettled = true;
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    });
    request.on('error', onGone);
    request.on('close', onGone);
  });
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${bytesMax}`);
}
