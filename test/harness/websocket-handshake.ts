import type { Duplex } from 'node:stream';

/** Asks over a connection for a WebSocket at this path (RFC 6455, 4.1). Returns how to read what has come since, the answer's head first. */
export function askForWebSocket(socket: Duplex, path: string): () => string {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  return () => text;
}
