// Several authorizers in a row (KUBERNETES.md E4, U5).
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { anonymousUser } from '../request/user.ts';
import type { AuthorizationAttributes, AuthorizationDecision } from './authorizer.ts';
import { UnionAuthorizer } from './union-authorizer.ts';

const attributes: AuthorizationAttributes = {
  ...{ user: anonymousUser, workspace: undefined, verb: 'get', resource: undefined, path: '/' },
};
const silent = (reason: string, error?: string): AuthorizationDecision => ({
  ...{ decision: 'noOpinion', reason },
  ...(error === undefined ? {} : { error }),
});

it('what several tell without an opinion is told together, at once or later', async () => {
  for (const later of [false, true]) {
    const of = (...decisions: AuthorizationDecision[]) =>
      new UnionAuthorizer(
        decisions.map((one, at) => ({ authorize: () => (later && at > 0 ? Promise.resolve(one) : one) })),
      ).authorize(attributes);
    assert.deepEqual(await of(silent('a'), silent(''), silent('b')), silent('a\nb'));
    assert.deepEqual(await of(silent('', 'x'), silent('b'), silent('', 'y')), silent('b', 'x, y'));
    const allowed: AuthorizationDecision = { decision: 'allow', reason: 'yes' };
    // Who allows it counts, though another could not be asked.
    assert.deepEqual(await of(silent('', 'x'), allowed), allowed);
    assert.deepEqual(await of(allowed, silent('', 'x')), allowed);
  }
});
