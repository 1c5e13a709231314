import type { ServerRequest } from '../exchange.ts';

const ignore = (): void => {};

/**
 * To be called when a request comes. Node pauses an HTTP/1.1 connection and its parser when one comes while much of an
 * earlier answer is still to be written. Over TLS, the records that were read together with the request go to the paused
 * parser all the same, which takes them for a fault (`HPE_PAUSED`): a client that did nothing wrong would be told 400. The
 * connection alone is paused, therefore; the parser takes what was read already, 64 KiB at most.
 */
export function keepParsing(request: ServerRequest): void {
  if ('stream' in request) return;
  const socket = request.socket as { readonly _paused?: boolean; readonly parser?: { pause: () => void } };
  if (socket._paused === true && socket.parser !== undefined) socket.parser.pause = ignore;
}
