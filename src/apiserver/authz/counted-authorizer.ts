import type { MetricText } from '#client/metrics/metric-text.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';

interface Decisions {
  readonly type: 'RBAC' | 'Webhook';
  readonly name: string;
  allowed: number;
  denied: number;
}

/** How often each authorizer has decided; silence is not counted (apiserver/pkg/authorization/metrics). */
export class AuthorizationMetrics {
  readonly #all: Decisions[] = [];

  /** The authorizer, counted under a name that the operator has given it. */
  counted(authorizer: Authorizer, type: Decisions['type'], name: string): Authorizer {
    const decisions: Decisions = { type, name, allowed: 0, denied: 0 };
    this.#all.push(decisions);
    return new CountedAuthorizer(authorizer, decisions);
  }

  render(text: MetricText): void {
    for (const { type, name, ...counts } of this.#all) {
      for (const decision of ['allowed', 'denied'] as const) {
        if (counts[decision] === 0) continue;
        text.counter(
          'apiserver_authorization_decisions_total',
          'How often authorizers allowed or denied.',
          counts[decision],
          { type, name, decision },
        );
      }
    }
  }
}

class CountedAuthorizer implements Authorizer {
  readonly #authorizer: Authorizer;
  readonly #decisions: Decisions;

  constructor(authorizer: Authorizer, decisions: Decisions) {
    this.#authorizer = authorizer;
    this.#decisions = decisions;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const decision = this.#authorizer.authorize(attributes);
    return decision instanceof Promise ? this.#countLater(decision) : this.#count(decision);
  }

  async #countLater(pending: Promise<AuthorizationDecision>): Promise<AuthorizationDecision> {
    return this.#count(await pending);
  }

  #count(decision: AuthorizationDecision): AuthorizationDecision {
    if (decision.decision === 'allow') this.#decisions.allowed++;
    else if (decision.decision === 'deny') this.#decisions.denied++;
    return decision;
  }
}
