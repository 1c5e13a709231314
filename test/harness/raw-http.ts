import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import type { ServerConnection } from '#client/remote/connection.ts';
import { tlsOptions } from '#client/remote/connection.ts';

/** Long for a machine that is busy with other things: that nothing hangs is what is told by it. */
const answerTimeoutMs = 120_000;
/** Answers that a reset may overtake, one after the other. */
const resetsMax = 20;

export interface RawRequest {
  readonly method?: string | undefined;
  /** Sent as it is: nothing is normalized or escaped. */
  readonly path: string;
  /** Several values are several lines. */
  readonly headers?: { readonly [name: string]: string | string[] } | undefined;
  readonly body?: string | Buffer | undefined;
  /** Shorthand for the Content-Type header; default `application/json` when there is a body. */
  readonly contentType?: string | undefined;
  /** Default 120,000. A request that is not answered by then rejects: nothing may hang. */
  readonly timeoutMs?: number | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: { readonly [key: string]: unknown } | undefined;
}

/** Requests as a client could send them that follows no client library's rules. */
export class RawHttp {
  readonly connection: ServerConnection;
  readonly #agent: https.Agent;

  constructor(connection: ServerConnection, options: { readonly connectionsMax?: number } = {}) {
    this.connection = connection;
    const maxSockets = options.connectionsMax ?? 16;
    this.#agent = new https.Agent({ ...tlsOptions(connection), keepAlive: true, maxSockets });
  }

  send(request: RawRequest): Promise<RawAnswer> {
    const { body, contentType, method = body === undefined ? 'GET' : 'POST' } = request;
    const { hostname, port } = new URL(this.connection.server);
    const headers: { [name: string]: string | string[] } = { ...request.headers };
    if (this.connection.token !== undefined) headers['authorization'] ??= `Bearer ${this.connection.token}`;
    if (body !== undefined) {
      if (contentType !== '') headers['content-type'] ??= contentType ?? 'application/json';
      headers['content-length'] ??= String(Buffer.byteLength(body));
    }
    return new Promise((resolve, reject) => {
      const sent = https.request(
        { agent: this.#agent, hostname, port, method, path: request.path, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () => {
            resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks)));
          });
        },
      );
      sent.setTimeout(request.timeoutMs ?? answerTimeoutMs, () =>
        sent.destroy(new Error(`no answer in time: ${method} ${request.path}`)),
      );
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /**
   * Bytes over TLS, and what comes back until the server closes, or until it matches `enough`. Who is still writing when the
   * server has answered and closed may be told of the reset before the answer is read, which is lost then: it is sent again.
   */
  async sendBytes(bytes: string | Buffer, options: { readonly enough?: RegExp } = {}): Promise<string> {
    for (let tries = 1; ; tries++) {
      const { text, isReset } = await this.#exchange(bytes, options.enough);
      if (text !== '' || !isReset || tries === resetsMax) return text;
    }
  }

  async #exchange(
    bytes: string | Buffer,
    enough: RegExp | undefined,
  ): Promise<{ readonly text: string; readonly isReset: boolean }> {
    const socket = await this.connect();
    return new Promise((resolve, reject) => {
      let text = '';
      let isReset = false;
      socket.setTimeout(answerTimeoutMs, () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (enough?.test(text) === true) socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        if (!isReset) reject(error);
      });
      socket.once('close', () => resolve({ text, isReset }));
      socket.write(bytes);
    });
  }

  /** A TLS connection as this user, nothing sent on it yet. That it breaks shows in its end alone. */
  connect(alpn: readonly string[] = ['http/1.1']): Promise<tls.TLSSocket> {
    const { hostname, port } = new URL(this.connection.server);
    return new Promise((resolve, reject) => {
      const socket = tls.connect({
        ...tlsOptions(this.connection),
        host: hostname,
        port: Number(port),
        ALPNProtocols: [...alpn],
      });
      socket.once('secureConnect', () => {
        socket.off('error', reject);
        socket.on('error', () => {});
        resolve(socket);
      });
      socket.once('error', reject);
    });
  }

  /** An HTTP/2 session as this user. */
  session(): Promise<http2.ClientHttp2Session> {
    return new Promise((resolve, reject) => {
      const session = http2.connect(new URL(this.connection.server).origin, tlsOptions(this.connection));
      session.once('connect', () => {
        session.off('error', reject);
        session.on('error', () => {}); // a broken session shows in its streams
        resolve(session);
      });
      session.once('error', reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function answerOf(
  status: number,
  headers: { readonly [name: string]: string | string[] | undefined },
  body: Buffer,
): RawAnswer {
  const text = body.toString('utf8');
  let json: RawAnswer['json'];
  try {
    json = JSON.parse(text) as RawAnswer['json'];
  } catch {
    json = undefined;
  }
  return { status, headers, text, json };
}
