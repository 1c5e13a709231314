import type { ServerRequest } from './exchange.ts';

const throughStream = new WeakSet<object>();
const ignore = (): void => {};

/**
 * To be called when a request comes. Node 20 pauses an HTTP/1.1 connection and its parser when one comes while much of an
 * earlier answer is still to be written. Over TLS, the records that came together with the request go to the paused parser
 * all the same, which takes them for a fault (`HPE_PAUSED`): a client that did nothing wrong would be told 400. Where
 * somebody listens to a connection's data they go through its stream and not straight into the parser, and a stream that is
 * paused holds them.
 */
export function holdWhilePaused(request: ServerRequest): void {
  if ('stream' in request) return;
  const { socket } = request;
  if ((socket as { _paused?: boolean })._paused !== true || throughStream.has(socket)) return;
  throughStream.add(socket);
  socket.on('data', ignore);
}
