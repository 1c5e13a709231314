import { Agent, request } from 'undici';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import { type ServerConnection, tlsOptions } from '#client/remote/connection.ts';
import type { AuditLoss, AuditSink } from './audit-log.ts';

export interface AuditWebhookOptions {
  /** `server`: the whole URL to post to. */
  readonly connection: ServerConnection;
  readonly logger: Logger;
  /** Events that wait; past it new ones are lost, counted and told. Default 10,000. */
  readonly bufferMax?: number | undefined;
  /** Events in one post. Default 400. */
  readonly batchMax?: number | undefined;
  /** How long an event waits for others. Default 1,000. */
  readonly waitMs?: number | undefined;
  /** First pause after a post that failed; it doubles up to a minute. Default 1,000. */
  readonly retryMs?: number | undefined;
}

const timeoutMs = 30_000;
const retryMsMax = 60_000;
/** How long what waits may take to be told when the server stops. */
const closeMs = 5_000;

/**
 * Posts audit events to a webhook as EventLists of audit.k8s.io/v1 (KUBERNETES.md O3): one post at a time, in the order
 * of events, tried again until it is taken. Requests never wait for it.
 */
export class AuditWebhook implements AuditSink {
  readonly #options: Required<Omit<AuditWebhookOptions, 'connection' | 'logger'>>;
  readonly #url: string;
  readonly #bearer: string | undefined;
  readonly #agent: Agent;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  #waiting: JsonObject[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isClosing = false;
  #lost = 0;

  /** Throws Error when the URL is not https. */
  constructor({ connection, logger, ...options }: AuditWebhookOptions) {
    if (!connection.server.startsWith('https://')) {
      throw new Error(`an audit webhook is reached by https, not ${connection.server}`);
    }
    this.#options = {
      bufferMax: options.bufferMax ?? 10_000,
      batchMax: options.batchMax ?? 400,
      waitMs: options.waitMs ?? 1_000,
      retryMs: options.retryMs ?? 1_000,
    };
    this.#url = connection.server;
    this.#bearer = connection.token;
    this.#agent = new Agent({ connections: 1, connect: tlsOptions(connection) });
    this.#logger = logger;
  }

  /** Events that found no place. */
  losses(): readonly AuditLoss[] {
    return [{ plugin: 'webhook', lost: this.#lost }];
  }

  write(event: JsonObject): void {
    const { bufferMax, batchMax, waitMs } = this.#options;
    if (this.#waiting.length >= bufferMax) {
      this.#lost++;
      // One line for many: the webhook is away, and says so in lines of its own.
      if (this.#lost % bufferMax === 1) {
        this.#logger.error(
          { lost: this.#lost, url: this.#url },
          'audit events are lost: the webhook is behind',
        );
      }
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length >= batchMax) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), waitMs).unref();
  }

  /** Tells what waits, for a few seconds at most. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const giveUp = setTimeout(() => this.#stopping.abort(), closeMs);
    this.#send();
    await this.#sending;
    clearTimeout(giveUp);
    if (this.#waiting.length > 0) {
      const lost = this.#lost + this.#waiting.length;
      this.#logger.error({ lost, url: this.#url }, 'audit events are lost: the webhook did not take them');
    }
    this.#stopping.abort();
    await this.#agent.destroy();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0 && !this.#isClosing) this.#send();
    });
  }

  async #sendAll(): Promise<void> {
    let pauseMs = this.#options.retryMs;
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#waiting.slice(0, this.#options.batchMax);
      try {
        await this.#post(batch);
        this.#waiting = this.#waiting.slice(batch.length);
        pauseMs = this.#options.retryMs;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#logger.warn({ err: error, url: this.#url, retryMs: pauseMs }, 'audit events could not be told');
        await pause(pauseMs, this.#stopping.signal);
        pauseMs = Math.min(pauseMs * 2, retryMsMax);
      }
    }
  }

  async #post(items: readonly JsonObject[]): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await request(this.#url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: {
        'content-type': 'application/json',
        ...(this.#bearer === undefined ? {} : { authorization: `Bearer ${this.#bearer}` }),
      },
      body: JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items }),
      signal,
    });
    await response.body.dump();
    if (response.statusCode < 200 || response.statusCode >= 300) {
      throw new Error(`the webhook answered ${response.statusCode}`);
    }
  }
}

/** Several sinks as one. */
export function teeSink(sinks: readonly AuditSink[]): AuditSink {
  return {
    write: (event) => {
      for (const sink of sinks) sink.write(event);
    },
    losses: () => sinks.flatMap((sink) => sink.losses()),
    close: async () => {
      await Promise.all(sinks.map((sink) => sink.close()));
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    signal.addEventListener('abort', end, { once: true });
  });
}
