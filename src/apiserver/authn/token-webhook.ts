import { LRUCache } from 'lru-cache';
import { objectAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { UserInfo } from '../request/user.ts';
import { ReviewPoster } from '../review-poster.ts';
import { type AuthenticatedToken, type TokenAuthenticator, unauthorized } from './authenticator.ts';
import type { ForeignUsers } from './foreign-users.ts';
import { tokenLengthMax } from './jwt.ts';
import type { TokenCacheMetrics } from './token-cache-metrics.ts';
import { hashToken } from './token-file.ts';
import { withAuthenticated } from './x509.ts';

const timeoutMs = 10_000;
const answersMax = 10_000;
const reservedPrefix = 'system:';
/** How long an answer is believed: Kubernetes' default. */
const answerMs = 2 * 60_000;
/** How long a refusal is: a token that has just been made must work soon. */
const refusalMs = 10_000;
/** The same of another API server, as kube-aggregator's API servers keep it. */
const delegatedAnswerMs = 10_000;

interface Answer {
  readonly token: AuthenticatedToken | undefined;
}

/**
 * KUBERNETES.md U1: asks a webhook who a bearer token belongs to, by TokenReview. Asked last, and once for a token that
 * several requests bring at the same time; a token that it does not know is of no known kind. Names that begin with
 * `system:` are the server's own, as for issuers.
 */
export class TokenWebhook implements TokenAuthenticator {
  readonly #poster: ReviewPoster;
  readonly #foreign: ForeignUsers | undefined;
  readonly #answerMs: number;
  readonly #logger: Logger;
  readonly #metrics: TokenCacheMetrics | undefined;
  readonly #answers = new LRUCache<string, Answer>({ max: answersMax });
  readonly #asking = new Map<string, Promise<Answer>>();

  /**
   * `connection.server`: the whole URL to post to. `foreign`: the webhook is another API server (delegated
   * authentication), believed about names that begin with `system:` too; its answers are kept for 10 seconds.
   */
  constructor(options: {
    readonly connection: ServerConnection;
    readonly logger: Logger;
    readonly foreign?: ForeignUsers | undefined;
    readonly metrics?: TokenCacheMetrics | undefined;
  }) {
    this.#poster = new ReviewPoster(options.connection);
    this.#foreign = options.foreign;
    this.#answerMs = options.foreign === undefined ? answerMs : delegatedAnswerMs;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash: string = hashToken(token),
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken | undefined> {
    if (token.length > tokenLengthMax) return undefined;
    const key = audiences.length === 0 ? hash : `${hash} ${JSON.stringify(audiences)}`;
    const known = this.#answers.get(key);
    if (known !== undefined) {
      this.#metrics?.hit();
      return known.token;
    }
    let asking = this.#asking.get(key);
    const isAsked = asking !== undefined;
    if (asking === undefined) {
      asking = this.#ask(token, audiences).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
      // Kept by whoever asked first; a webhook that cannot be reached is asked again the next time.
      asking.then(
        (answer) =>
          this.#answers.set(key, answer, { ttl: answer.token === undefined ? refusalMs : this.#answerMs }),
        () => {},
      );
    }
    const counted = this.#metrics?.miss(isAsked, asking) ?? asking;
    return counted.then((answer) => answer.token);
  }

  close(): Promise<void> {
    return this.#poster.close();
  }

  async #ask(token: string, audiences: readonly string[]): Promise<Answer> {
    let review: JsonObject;
    try {
      review = await this.#poster.post(
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token, ...(audiences.length === 0 ? {} : { audiences: [...audiences] }) },
        },
        timeoutMs,
      );
    } catch (error) {
      this.#logger.warn({ err: error, url: this.#poster.url }, 'the token webhook gave no answer');
      throw unauthorized('the token webhook gave no answer');
    }
    if (valueAt(review, 'status', 'authenticated') !== true) return { token: undefined };
    const told = objectAt(review, 'status', 'user');
    const user = this.#foreign === undefined ? userOf(told) : foreignUserOf(told, this.#foreign);
    if (user === undefined) return { token: undefined };
    const meant = textsAt(review, 'status', 'audiences').filter((one) => audiences.includes(one));
    // A webhook that says nothing of audiences knows only the server's own.
    if (audiences.length > 0 && meant.length === 0) return { token: undefined };
    return { token: { user, audiences: meant } };
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

function foreignUserOf(user: JsonObject | undefined, foreign: ForeignUsers): UserInfo | undefined {
  const name = textAt(user, 'username');
  if (name === '') return undefined;
  const uid = textAt(user, 'uid');
  const extra = Object.keys(objectAt(user, 'extra') ?? {}).map(
    (key) => [key, textsAt(user, 'extra', key)] as const,
  );
  return foreign.admit({
    name,
    ...(uid === '' ? {} : { uid }),
    groups: withAuthenticated(textsAt(user, 'groups')),
    extra: new Map(extra),
  });
}
