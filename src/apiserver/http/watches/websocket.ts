import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { unframed } from '../../protobuf/encode-object.ts';
import type { ServerRequest } from '../exchange.ts';
import type { FrameChannel, FrameEncoding } from './frame-channel.ts';

/**
 * As much of RFC 6455 as a watch needs (KUBERNETES.md W7): messages to the client; from it, pings are answered, a
 * close is answered, and what it says otherwise is read and thrown away.
 */

const handshakeSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const opText = 0x1;
const opBinary = 0x2;
const opClose = 0x8;
const opPing = 0x9;
const opPong = 0xa;
/** Control frames carry no more (RFC 6455 5.5). */
const controlBytesMax = 125;
/** A message from a watcher has no meaning: a longer one ends the connection. */
const clientFrameBytesMax = 64 * 1024;
const closeNormal = 1000;
const closeTooBig = 1009;
const closeProtocolError = 1002;
/** How long the client may take to answer our close. */
const closeTimeoutMs = 5_000;

const tokenProtocolPrefix = 'base64url.bearer.authorization.k8s.io.';

export function isWebSocketUpgrade(request: ServerRequest): boolean {
  const { upgrade, connection } = request.headers;
  return upgrade?.toLowerCase() === 'websocket' && /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection ?? '');
}

/** W7: browsers cannot set Authorization; the token comes as a subprotocol, base64url without padding. */
export function tokenOfSubprotocols(header: string | undefined): string | undefined {
  for (const protocol of protocolsOf(header)) {
    if (!protocol.startsWith(tokenProtocolPrefix)) continue;
    const encoded = protocol.slice(tokenProtocolPrefix.length);
    return /^[A-Za-z0-9_-]+$/.test(encoded) ? Buffer.from(encoded, 'base64url').toString('utf8') : '';
  }
  return undefined;
}

function protocolsOf(header: string | undefined): string[] {
  return (header ?? '').split(',').map((one) => one.trim());
}

/** Undefined when the request is a proper handshake, else why not. */
export function handshakeFault(request: ServerRequest): string | undefined {
  const key = request.headers['sec-websocket-key'];
  if (request.method !== 'GET') return 'a WebSocket handshake must be a GET';
  if (request.headers['sec-websocket-version'] !== '13') return 'only WebSocket version 13 is supported';
  if (typeof key !== 'string' || Buffer.from(key, 'base64').length !== 16)
    return 'malformed Sec-WebSocket-Key';
  return undefined;
}

/** One event a message, text or binary, without what divides frames on a plain stream. */
export class WebSocketChannel implements FrameChannel {
  readonly #socket: Duplex;
  readonly #request: ServerRequest;
  readonly #headers: { readonly [name: string]: string | number | string[] };
  readonly #reader = new ClientFrameReader();
  #isBinary = false;
  #closeSent = false;
  #closeTimer: NodeJS.Timeout | undefined;

  /** `head`: what came behind the handshake already. */
  constructor(
    request: ServerRequest,
    socket: Duplex,
    head: Buffer,
    headers: { readonly [name: string]: string | number | string[] },
  ) {
    this.#request = request;
    this.#socket = socket;
    this.#headers = headers;
    if (head.length > 0) socket.unshift(head);
  }

  open(encoding: FrameEncoding): void {
    this.#isBinary = encoding === 'protobuf';
    const key = String(this.#request.headers['sec-websocket-key']);
    const accept = createHash('sha1')
      .update(key + handshakeSuffix)
      .digest('base64');
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
    ];
    // The token is never echoed; the first other protocol is the one that we speak.
    const protocol = protocolsOf(this.#request.headers['sec-websocket-protocol']).find(
      (one) => one !== '' && !one.startsWith(tokenProtocolPrefix),
    );
    if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    for (const [name, value] of Object.entries(this.#headers)) {
      for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
    }
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => this.#socket.end());
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => clearTimeout(this.#closeTimer));
  }

  write(frames: readonly Buffer[]): void {
    if (this.#closeSent || this.#socket.destroyed) return;
    this.#socket.cork();
    for (const frame of frames) {
      const message = this.#isBinary ? unframed(frame) : withoutNewline(frame);
      this.#socket.write(frameHead(this.#isBinary ? opBinary : opText, message.length));
      this.#socket.write(message);
    }
    this.#socket.uncork();
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.once('drain', done);
      socket.once('close', done);
    });
  }

  end(): void {
    this.#sendClose(closeNormal);
  }

  cut(): void {
    this.#socket.destroy();
  }

  onClose(callback: () => void): void {
    if (this.#socket.destroyed) callback();
    else this.#socket.once('close', callback);
  }

  #sendClose(code: number): void {
    if (this.#closeSent || this.#socket.destroyed) return;
    this.#closeSent = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#socket.write(Buffer.concat([frameHead(opClose, payload.length), payload]));
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), closeTimeoutMs);
    this.#closeTimer.unref();
  }

  #receive(chunk: Buffer): void {
    const frames = this.#reader.push(chunk);
    if (frames === undefined) {
      this.#sendClose(this.#reader.fault === 'too-big' ? closeTooBig : closeProtocolError);
      this.#socket.end();
      return;
    }
    for (const { opcode, payload } of frames) {
      if (opcode === opPing) {
        if (!this.#closeSent) this.#socket.write(Buffer.concat([frameHead(opPong, payload.length), payload]));
      } else if (opcode === opClose) {
        this.#sendClose(closeNormal);
        this.#socket.end();
      }
    }
  }
}

function withoutNewline(frame: Buffer): Buffer {
  return frame[frame.length - 1] === 0x0a ? frame.subarray(0, -1) : frame;
}

/** Final, unmasked: servers do not mask (RFC 6455 5.1). */
function frameHead(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.of(0x80 | opcode, length);
  if (length < 0x10000) {
    const head = Buffer.of(0x80 | opcode, 126, 0, 0);
    head.writeUInt16BE(length, 2);
    return head;
  }
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
  head.writeUInt32BE(length % 2 ** 32, 6);
  return head;
}

interface ClientFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes what the client sends apart; holds one incomplete frame at most. */
export class ClientFrameReader {
  fault: 'protocol' | 'too-big' | undefined;
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that are complete now; undefined after a fault, for good. */
  push(chunk: Buffer): ClientFrame[] | undefined {
    if (this.fault !== undefined) return undefined;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: ClientFrame[] = [];
    for (;;) {
      const frame = this.#next();
      if (this.fault !== undefined) return undefined;
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  #next(): ClientFrame | undefined {
    const data = this.#pending;
    if (data.length < 2) return undefined;
    const first = data[0]!;
    const second = data[1]!;
    const opcode = first & 0x0f;
    const isControl = (opcode & 0x8) !== 0;
    // Reserved bits, an unmasked client, a fragmented control frame (RFC 6455 5.2, 5.4).
    if ((first & 0x70) !== 0 || (second & 0x80) === 0 || (isControl && (first & 0x80) === 0)) {
      this.fault = 'protocol';
      return undefined;
    }
    let length = second & 0x7f;
    let at = 2;
    if (length === 126) {
      if (data.length < 4) return undefined;
      length = data.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (data.length < 10) return undefined;
      length = data.readUInt32BE(2) * 2 ** 32 + data.readUInt32BE(6);
      at = 10;
    }
    if (length > (isControl ? controlBytesMax : clientFrameBytesMax)) {
      this.fault = isControl ? 'protocol' : 'too-big';
      return undefined;
    }
    if (data.length < at + 4 + length) return undefined;
    const mask = data.subarray(at, at + 4);
    const payload = Buffer.from(data.subarray(at + 4, at + 4 + length));
    for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!;
    this.#pending = data.subarray(at + 4 + length);
    return { opcode, payload };
  }
}
