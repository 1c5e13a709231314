import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { UserInfo } from '../request/user.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** kube-apiserver's, in seconds (apiserver/pkg/endpoints/filters/metrics.go). */
const durationBounds = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power);

/** Names that Kubernetes tells one by one; all others are `other`, or `email_id`. */
const toldNames: ReadonlySet<string> = new Set([
  'admin',
  'client',
  'kube_proxy',
  'kubelet',
  'system:serviceaccount:kube-system:default',
]);

interface Attempts {
  count: number;
  readonly seconds: Histogram;
}

const none = (): Attempts => ({ count: 0, seconds: new Histogram(durationBounds) });

/** How requests were authenticated (apiserver/pkg/endpoints/filters/metrics.go). */
export class AuthenticationMetrics {
  readonly #attempts = { success: none(), failure: none(), error: none() };
  readonly #users = new Map<string, number>();

  /** The authenticator, counted. */
  counted(authenticator: Authenticator): Authenticator {
    return new CountedAuthenticator(authenticator, this);
  }

  /** `startedAtMs`: of performance.now. */
  succeeded({ name }: UserInfo, startedAtMs: number): void {
    this.#count(this.#attempts.success, startedAtMs);
    const told = toldNames.has(name) ? name : name.includes('@') ? 'email_id' : 'other';
    this.#users.set(told, (this.#users.get(told) ?? 0) + 1);
  }

  /** A failure is when nothing was offered and something is asked for, an error when what was offered is not valid. */
  failed(result: 'failure' | 'error', startedAtMs: number): void {
    this.#count(this.#attempts[result], startedAtMs);
  }

  #count(attempts: Attempts, startedAtMs: number): void {
    attempts.count++;
    attempts.seconds.observe((performance.now() - startedAtMs) / 1_000);
  }

  render(text: MetricText): void {
    for (const [username, count] of this.#users)
      text.counter('authenticated_user_requests', 'Requests of users by sorts of names.', count, {
        username,
      });
    for (const [result, { count, seconds }] of Object.entries(this.#attempts)) {
      if (count === 0) continue;
      text.counter('authentication_attempts', 'Requests by what became of their credentials.', count, {
        result,
      });
      text.histogram('authentication_duration_seconds', 'How long it took to find out who asks.', seconds, {
        result,
      });
    }
  }
}

class CountedAuthenticator implements Authenticator {
  readonly readsHeaders: boolean | undefined;
  readonly anonymousPaths: ReadonlySet<string> | undefined;
  readonly #authenticator: Authenticator;
  readonly #metrics: AuthenticationMetrics;

  constructor(authenticator: Authenticator, metrics: AuthenticationMetrics) {
    this.#authenticator = authenticator;
    this.#metrics = metrics;
    this.readsHeaders = authenticator.readsHeaders;
    this.anonymousPaths = authenticator.anonymousPaths;
  }

  authenticate(credentials: Credentials): UserInfo | undefined | Promise<UserInfo | undefined> {
    const startedAtMs = performance.now();
    let user: UserInfo | undefined | Promise<UserInfo | undefined>;
    try {
      user = this.#authenticator.authenticate(credentials);
    } catch (error) {
      this.#failed(credentials, startedAtMs);
      throw error;
    }
    if (user instanceof Promise) return this.#settled(user, credentials, startedAtMs);
    this.#done(user, startedAtMs);
    return user;
  }

  async #settled(
    pending: Promise<UserInfo | undefined>,
    credentials: Credentials,
    startedAtMs: number,
  ): Promise<UserInfo | undefined> {
    let user: UserInfo | undefined;
    try {
      user = await pending;
    } catch (error) {
      this.#failed(credentials, startedAtMs);
      throw error;
    }
    this.#done(user, startedAtMs);
    return user;
  }

  #done(user: UserInfo | undefined, startedAtMs: number): void {
    if (user === undefined) this.#metrics.failed('failure', startedAtMs);
    else this.#metrics.succeeded(user, startedAtMs);
  }

  #failed({ bearerToken, certificate }: Credentials, startedAtMs: number): void {
    const isOffered = bearerToken !== undefined || certificate !== undefined;
    this.#metrics.failed(isOffered ? 'error' : 'failure', startedAtMs);
  }
}
