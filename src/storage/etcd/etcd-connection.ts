import { setMaxListeners } from 'node:events';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import { backoffDelayMs } from '#apimachinery/backoff.ts';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import { StorageError } from '../errors.ts';
import type { StorageLogger } from '../logger.ts';
import { callFailure } from './etcd-errors.ts';
import { authenticateMethod, type Method } from './rpc.ts';
import { answerBytesMax, framed, UnaryChannel, type UnaryChannelOptions } from './unary-channel.ts';

/** How to reach an etcd cluster. */
export interface EtcdAccess {
  /** `http://host:port` or `https://host:port`, all of one kind. */
  readonly endpoints: readonly string[];
  /** CA of the members' certificates; default: the system's. */
  readonly caPem?: string | undefined;
  /** Client certificate and its key, for etcd's `--client-cert-auth`. */
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
  /** For etcd's own authentication. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** How long one call may take, with all its tries. Default 10,000; etcd itself gives up after about 7,000. */
  readonly requestTimeoutMs?: number | undefined;
}

export interface CallOptions {
  /** May be done twice: is tried again when its outcome is in doubt. */
  readonly repeatable: boolean;
}

/** A read that one member leaves unanswered this long is asked of the next one. */
const memberPatienceMs = 3_000;
const retryDelay = { initialMs: 20, maxMs: 500 } as const;

const channelOptions = {
  'grpc.max_receive_message_length': answerBytesMax,
  'grpc.max_send_message_length': -1,
  // etcd refuses pings more often than every 5 s, and those without a call.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.service_config_disable_resolution': 1,
  // A store is never behind the proxy that the environment names for the web; the other calls do not go through it either.
  'grpc.enable_http_proxy': 0,
} as const;

/** What each call carries beside its message. */
type CallHeaders = { readonly [name: string]: string };

/**
 * Calls to an etcd cluster: to one member as long as that answers, then to the next one; calls over a connection of ours
 * (unary-channel.ts), streams over one of grpc-js. Tries again
 * what etcd has surely not done, and reads whatever happened, until the time for the call is over. Renews its token.
 */
export class EtcdConnection {
  readonly #addresses: readonly string[];
  readonly #channelCredentials: ChannelCredentials;
  readonly #login: { readonly name: string; readonly password: string } | undefined;
  readonly #requestTimeoutMs: number;
  readonly #clock: Clock;
  readonly #logger: StorageLogger;
  readonly #closing = new AbortController();
  readonly #tls: UnaryChannelOptions['tls'];
  readonly #channels: (UnaryChannel | undefined)[] = [];
  readonly #clients: (Client | undefined)[] = [];
  #current = 0;
  #headers: CallHeaders | undefined;
  #authenticating: Promise<CallHeaders> | undefined;

  /** Throws `unusable` for endpoints, certificates or credentials that cannot be right. Connects with the first call. */
  constructor(access: EtcdAccess, clock: Clock, logger: StorageLogger) {
    // Every call that waits for its next try listens.
    setMaxListeners(0, this.#closing.signal);
    const { addresses, tls } = parseEndpoints(access.endpoints);
    this.#addresses = addresses;
    this.#channelCredentials = channelCredentials(access, tls);
    this.#tls = tls ? { ca: access.caPem, cert: access.certPem, key: access.keyPem } : undefined;
    if ((access.username === undefined) !== (access.password === undefined)) {
      throw new StorageError('unusable', 'etcd: username and password belong together');
    }
    if (access.username !== undefined && access.password !== undefined) {
      this.#login = { name: access.username, password: access.password };
    } else {
      this.#headers = baseHeaders;
    }
    this.#requestTimeoutMs = access.requestTimeoutMs ?? 10_000;
    this.#clock = clock;
    this.#logger = logger;
  }

  get endpoint(): string {
    return this.#addresses[this.#current] ?? '';
  }

  /**
   * Throws a StorageError: `outcome-unknown` when a call that is not repeatable may have been done, else `unavailable`
   * or what etcd said.
   */
  async call<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Request,
    { repeatable }: CallOptions,
  ): Promise<Response> {
    const deadline = this.#clock.monotonic() + this.#requestTimeoutMs;
    let tokens = 0;
    for (let tries = 1; ; tries++) {
      const member = this.#current;
      const remainingMs = deadline - this.#clock.monotonic();
      const patienceMs =
        repeatable && this.#addresses.length > 1 ? Math.min(remainingMs, memberPatienceMs) : remainingMs;
      try {
        const headers = this.#headers ?? (await this.#authenticate());
        return await this.#once(member, method, request, headers, patienceMs);
      } catch (error) {
        if (this.#closing.signal.aborted) throw closed();
        if (error instanceof StorageError) throw error;
        const failure = callFailure(error, this.endpoint);
        const again =
          failure.outcome === 'not-done' ||
          (failure.outcome === 'in-doubt' && repeatable) ||
          (failure.outcome === 'token' && this.#login !== undefined && ++tokens <= 2);
        const delayMs = backoffDelayMs(tries, retryDelay);
        // Also when this call is given up: the next one is not to wait for the same member again.
        if (failure.outcome === 'not-done' || failure.outcome === 'in-doubt') this.#leave(member);
        if (!again || this.#clock.monotonic() + delayMs >= deadline) throw final(failure, repeatable);
        if (failure.outcome === 'token') this.#headers = undefined;
        await this.#pause(delayMs);
      }
    }
  }

  /** A stream to the current member. What the stream emits is callFailure's business; `leave` after an error. */
  async stream<Request extends object, Response extends object>({
    path,
    request,
    response,
  }: Method<Request, Response>): Promise<{
    stream: ClientDuplexStream<Request, Response>;
    leave: () => void;
  }> {
    const metadata = metadataOf(this.#headers ?? (await this.#authenticateForStream()));
    if (this.#closing.signal.aborted) throw closed();
    const member = this.#current;
    const stream = this.#client(member).makeBidiStreamRequest<Request, Response>(
      path,
      (message) => request.encode(message),
      (bytes) => response.decode(bytes),
      metadata,
    );
    return { stream, leave: () => this.#leave(member) };
  }

  /** The next call asks for a new token. */
  forgetToken(): void {
    if (this.#login !== undefined) this.#headers = undefined;
  }

  /** Idempotent. Calls under way end with `closed`. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const client of this.#clients) client?.close();
    for (const channel of this.#channels) channel?.close();
  }

  async #once<Request extends object, Response extends object>(
    member: number,
    { path, request: requestType, response: responseType }: Method<Request, Response>,
    request: Request,
    headers: CallHeaders,
    timeoutMs: number,
  ): Promise<Response> {
    if (this.#closing.signal.aborted) throw closed();
    const { frame, start } = framed(requestType.size(request));
    requestType.write(request, frame, start);
    const answer = await this.#channel(member).call(path, frame, headers, Math.max(1, timeoutMs));
    return responseType.decode(answer);
  }

  #channel(member: number): UnaryChannel {
    const existing = this.#channels[member];
    if (existing !== undefined) return existing;
    const channel = new UnaryChannel({
      address: this.#addresses[member] ?? '',
      tls: this.#tls,
      monotonic: () => this.#clock.monotonic(),
    });
    this.#channels[member] = channel;
    return channel;
  }

  #client(member: number): Client {
    const existing = this.#clients[member];
    if (existing !== undefined) return existing;
    const client = new Client(this.#addresses[member] ?? '', this.#channelCredentials, channelOptions);
    this.#clients[member] = client;
    return client;
  }

  /** The next call goes to the next member, unless another call has already moved on. */
  #leave(member: number): void {
    if (this.#addresses.length === 1 || this.#current !== member) return;
    this.#current = (member + 1) % this.#addresses.length;
    this.#logger.info({ from: this.#addresses[member], to: this.endpoint }, 'etcd: on to the next member');
  }

  #authenticate(): Promise<CallHeaders> {
    this.#authenticating ??= this.#newToken().finally(() => {
      this.#authenticating = undefined;
    });
    return this.#authenticating;
  }

  async #authenticateForStream(): Promise<CallHeaders> {
    const member = this.#current;
    try {
      return await this.#authenticate();
    } catch (error) {
      if (error instanceof StorageError) throw error;
      this.#leave(member);
      throw callFailure(error, this.endpoint).error;
    }
  }

  async #newToken(): Promise<CallHeaders> {
    const login = this.#login;
    if (login === undefined) return baseHeaders;
    const timeoutMs = Math.min(this.#requestTimeoutMs, memberPatienceMs);
    let token: string;
    try {
      ({ token } = await this.#once(this.#current, authenticateMethod, login, baseHeaders, timeoutMs));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const failure = callFailure(error, this.endpoint);
      // Whoever waits for the token has not been sent.
      if (failure.outcome === 'in-doubt') throw notSent(error);
      throw failure.outcome === 'refused' ? failure.error : error;
    }
    const headers = { ...baseHeaders, token };
    this.#headers = headers;
    return headers;
  }

  async #pause(delayMs: number): Promise<void> {
    await sleep(this.#clock, delayMs, this.#closing.signal).catch(() => {
      throw closed();
    });
  }
}

function closed(): StorageError {
  return new StorageError('closed', 'the store was stopped');
}

function final({ outcome, error }: ReturnType<typeof callFailure>, repeatable: boolean): StorageError {
  if (outcome !== 'in-doubt' || repeatable) return error;
  return new StorageError('outcome-unknown', error.message, error.fields, error.cause);
}

/** Makes a failed authentication, whatever became of it, one of a call that surely was not done. */
function notSent(error: unknown): unknown {
  if (error instanceof Error && 'details' in error) {
    return Object.assign(error, { details: `No connection established: ${String(error.details)}` });
  }
  return error;
}

/** A member that has lost its leader refuses at once instead of waiting, and ends its watches. */
const baseHeaders: CallHeaders = { hasleader: 'true' };

function metadataOf(headers: CallHeaders): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

function parseEndpoints(endpoints: readonly string[]): { addresses: string[]; tls: boolean } {
  if (endpoints.length === 0) throw new StorageError('unusable', 'etcd: no endpoint is given');
  const urls = endpoints.map((endpoint) => {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (
      url === undefined ||
      !/^https?:$/.test(url.protocol) ||
      url.hostname === '' ||
      !/^\/?$/.test(url.pathname)
    ) {
      throw new StorageError('unusable', `etcd: ${endpoint} is no endpoint such as https://10.0.0.1:2379`);
    }
    return url;
  });
  const tls = urls[0]?.protocol === 'https:';
  if (urls.some((url) => (url.protocol === 'https:') !== tls)) {
    throw new StorageError('unusable', 'etcd: endpoints must be all https or all http');
  }
  return { addresses: urls.map((url) => `${url.hostname}:${url.port === '' ? '2379' : url.port}`), tls };
}

function channelCredentials({ caPem, certPem, keyPem }: EtcdAccess, tls: boolean): ChannelCredentials {
  if ((certPem === undefined) !== (keyPem === undefined)) {
    throw new StorageError('unusable', 'etcd: a client certificate and its key belong together');
  }
  if (!tls) {
    if (caPem !== undefined || certPem !== undefined) {
      throw new StorageError('unusable', 'etcd: certificates are given, but the endpoints are http');
    }
    return credentials.createInsecure();
  }
  try {
    return credentials.createSsl(bufferOf(caPem), bufferOf(keyPem), bufferOf(certPem));
  } catch (error) {
    throw new StorageError(
      'unusable',
      `etcd: certificates cannot be used: ${(error as Error).message}`,
      {},
      error,
    );
  }
}

function bufferOf(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
