import { Agent, request } from 'undici';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { type ServerConnection, tlsOptions } from '#client/remote/connection.ts';
import { RenewedToken } from './renewed-token.ts';

const answerBytesMax = 1024 * 1024;
const connectionsMax = 16;

/** A review that came to nothing: nobody answered, or not with a review of that kind. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
  /** HTTP status, where there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** Posts TokenReviews and SubjectAccessReviews to a webhook, or to another API server, over HTTPS. */
export class ReviewPoster {
  readonly url: string;
  readonly #tokens: RenewedToken;
  readonly #agent: Agent;

  /** `connection.server`: the whole URL to post to. Throws Error when it is not https. */
  constructor(connection: ServerConnection) {
    const { server } = connection;
    if (!server.startsWith('https://')) throw new Error(`a webhook is reached by https, not ${server}`);
    this.url = server;
    this.#tokens = new RenewedToken(connection);
    this.#agent = new Agent({ connections: connectionsMax, connect: tlsOptions(connection) });
  }

  /** The completed review. Throws ReviewError. */
  async post(review: JsonObject, timeoutMs: number): Promise<JsonObject> {
    const { status, text } = await this.#send(review, timeoutMs).catch((error: unknown) => {
      if (error instanceof ReviewError) throw error;
      throw new ReviewError(error instanceof Error ? error.message : String(error), undefined, error);
    });
    if (status !== 200 && status !== 201) throw new ReviewError(`the webhook answered ${status}`, status);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (error) {
      throw new ReviewError('the answer is no JSON', status, error);
    }
    if (!isJsonObject(answer) || answer['kind'] !== review['kind']) {
      throw new ReviewError(`the answer is no ${String(review['kind'])}`, status);
    }
    return answer;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #send(
    review: JsonObject,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const token = await this.#tokens.get();
    const response = await request(this.url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(review),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) {
        throw new ReviewError(`the webhook answered more than ${answerBytesMax} bytes`, response.statusCode);
      }
      chunks.push(chunk);
    }
    return { status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') };
  }
}
