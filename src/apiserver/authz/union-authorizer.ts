import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';

/** Asks one after the other until one allows or denies (KUBERNETES.md E4). Synchronous while all of them are. */
export class UnionAuthorizer implements Authorizer {
  readonly #authorizers: readonly Authorizer[];

  constructor(authorizers: readonly Authorizer[]) {
    this.#authorizers = authorizers;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    let silence = silent;
    for (let i = 0; i < this.#authorizers.length; i++) {
      const decision = this.#authorizers[i]!.authorize(attributes);
      if (decision instanceof Promise) return this.#continue(attributes, decision, i, silence);
      if (decision.decision !== 'noOpinion') return decision;
      silence = joined(silence, decision);
    }
    return silence;
  }

  async #continue(
    attributes: AuthorizationAttributes,
    pending: Promise<AuthorizationDecision>,
    index: number,
    before: AuthorizationDecision,
  ): Promise<AuthorizationDecision> {
    let decision = await pending;
    let silence = before;
    for (let i = index + 1; decision.decision === 'noOpinion'; i++) {
      silence = joined(silence, decision);
      const next = this.#authorizers[i];
      if (next === undefined) return silence;
      decision = await next.authorize(attributes);
    }
    return decision;
  }
}

const silent: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

/** What several without an opinion tell together (k8s.io/apiserver/pkg/authorization/union). */
function joined(before: AuthorizationDecision, one: AuthorizationDecision): AuthorizationDecision {
  if (before === silent) return one;
  const reason = [before.reason, one.reason].filter((text) => text !== '').join('\n');
  const errors = [before.error, one.error].filter((text) => text !== undefined);
  return { decision: 'noOpinion', reason, ...(errors.length === 0 ? {} : { error: errors.join(', ') }) };
}
