import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';

/** Asks one after the other until one allows or denies (KUBERNETES.md E4). Synchronous while all of them are. */
export class UnionAuthorizer implements Authorizer {
  readonly #authorizers: readonly Authorizer[];

  constructor(authorizers: readonly Authorizer[]) {
    this.#authorizers = authorizers;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    let reasons = '';
    for (let i = 0; i < this.#authorizers.length; i++) {
      const decision = this.#authorizers[i]!.authorize(attributes);
      if (decision instanceof Promise) return this.#continue(attributes, decision, i, reasons);
      if (decision.decision !== 'noOpinion') return decision;
      reasons = joinReasons(reasons, decision.reason);
    }
    return { decision: 'noOpinion', reason: reasons };
  }

  async #continue(
    attributes: AuthorizationAttributes,
    pending: Promise<AuthorizationDecision>,
    index: number,
    reasonsBefore: string,
  ): Promise<AuthorizationDecision> {
    let decision = await pending;
    let reasons = reasonsBefore;
    for (let i = index + 1; decision.decision === 'noOpinion'; i++) {
      reasons = joinReasons(reasons, decision.reason);
      const next = this.#authorizers[i];
      if (next === undefined) return { decision: 'noOpinion', reason: reasons };
      decision = await next.authorize(attributes);
    }
    return decision;
  }
}

function joinReasons(before: string, reason: string): string {
  if (reason === '') return before;
  return before === '' ? reason : `${before}, ${reason}`;
}
