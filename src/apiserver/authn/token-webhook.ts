import { LRUCache } from 'lru-cache';
import { Agent, request } from 'undici';
import { objectAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { UserInfo } from '../request/user.ts';
import { type AuthenticatedToken, type TokenAuthenticator, unauthorized } from './authenticator.ts';
import { tokenLengthMax } from './jwt.ts';
import { hashToken } from './token-file.ts';
import { withAuthenticated } from './x509.ts';

const timeoutMs = 10_000;
const answerBytesMax = 1024 * 1024;
const answersMax = 10_000;
const connectionsMax = 16;
const reservedPrefix = 'system:';
/** How long an answer is believed: Kubernetes' default. */
const answerMs = 2 * 60_000;
/** How long a refusal is: a token that has just been made must work soon. */
const refusalMs = 10_000;

interface Answer {
  readonly token: AuthenticatedToken | undefined;
}

/**
 * KUBERNETES.md U1: asks a webhook who a bearer token belongs to, by TokenReview. Asked last, and once for a token that
 * several requests bring at the same time; a token that it does not know is of no known kind. Names that begin with
 * `system:` are the server's own, as for issuers.
 */
export class TokenWebhook implements TokenAuthenticator {
  readonly #url: string;
  readonly #bearer: string | undefined;
  readonly #agent: Agent;
  readonly #logger: Logger;
  readonly #answers = new LRUCache<string, Answer>({ max: answersMax });
  readonly #asking = new Map<string, Promise<Answer>>();

  /** `connection.server`: the whole URL to post to. */
  constructor(options: { readonly connection: ServerConnection; readonly logger: Logger }) {
    const { server, caPem, certificatePem, keyPem, token, tlsServerName } = options.connection;
    if (!server.startsWith('https://')) throw new Error(`a token webhook is reached by https, not ${server}`);
    this.#url = server;
    this.#bearer = token;
    this.#logger = options.logger;
    this.#agent = new Agent({
      connections: connectionsMax,
      connect: {
        ...(caPem === undefined ? {} : { ca: caPem }),
        ...(certificatePem === undefined ? {} : { cert: certificatePem, key: keyPem }),
        ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      },
    });
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash: string = hashToken(token),
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken | undefined> {
    if (token.length > tokenLengthMax) return undefined;
    const key = audiences.length === 0 ? hash : `${hash} ${JSON.stringify(audiences)}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known.token;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(token, audiences).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
      // Kept by whoever asked first; a webhook that cannot be reached is asked again the next time.
      asking.then(
        (answer) =>
          this.#answers.set(key, answer, { ttl: answer.token === undefined ? refusalMs : answerMs }),
        () => {},
      );
    }
    return asking.then((answer) => answer.token);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #ask(token: string, audiences: readonly string[]): Promise<Answer> {
    let review: JsonObject;
    try {
      review = await this.#post({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, ...(audiences.length === 0 ? {} : { audiences: [...audiences] }) },
      });
    } catch (error) {
      this.#logger.warn({ error, url: this.#url }, 'the token webhook gave no answer');
      throw unauthorized('the token webhook gave no answer');
    }
    if (valueAt(review, 'status', 'authenticated') !== true) return { token: undefined };
    const user = userOf(objectAt(review, 'status', 'user'));
    if (user === undefined) return { token: undefined };
    const meant = textsAt(review, 'status', 'audiences').filter((one) => audiences.includes(one));
    // A webhook that says nothing of audiences knows only the server's own.
    if (audiences.length > 0 && meant.length === 0) return { token: undefined };
    return { token: { user, audiences: meant } };
  }

  async #post(review: JsonObject): Promise<JsonObject> {
    const response = await request(this.#url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(this.#bearer === undefined ? {} : { authorization: `Bearer ${this.#bearer}` }),
      },
      body: JSON.stringify(review),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.statusCode !== 200 && response.statusCode !== 201) {
      await response.body.dump();
      throw new Error(`the webhook answered ${response.statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) throw new Error(`the webhook answered more than ${answerBytesMax} bytes`);
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (!isJsonObject(value) || value['kind'] !== 'TokenReview')
      throw new Error('the answer is no TokenReview');
    return value;
  }
}

function userOf(user: JsonObject | undefined): UserInfo | undefined {
  const name = textAt(user, 'username');
  if (name === '' || name.startsWith(reservedPrefix)) return undefined;
  const uid = textAt(user, 'uid');
  return {
    name,
    ...(uid === '' ? {} : { uid }),
    groups: withAuthenticated(textsAt(user, 'groups').filter((group) => !group.startsWith(reservedPrefix))),
    extra: new Map(),
  };
}
