import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricText } from '#client/metrics/metric-text.ts';
import type { AuthorizationAttributes, AuthorizationDecision } from './authorizer.ts';
import { AuthorizationMetrics } from './counted-authorizer.ts';

test('decisions are counted by authorizer, silence is not', async () => {
  const metrics = new AuthorizationMetrics();
  const attributes = {} as AuthorizationAttributes;
  const decisions: AuthorizationDecision['decision'][] = ['allow', 'noOpinion', 'deny', 'allow'];
  const turns = { rbac: decisions.values(), hook: decisions.values() };
  const next = (of: 'rbac' | 'hook') =>
    ({ decision: turns[of].next().value ?? 'noOpinion', reason: '' }) as const;
  const rbac = metrics.counted({ authorize: () => next('rbac') }, 'RBAC', 'rbac');
  const hook = metrics.counted({ authorize: async () => next('hook') }, 'Webhook', 'mine');
  for (const expected of decisions) {
    assert.equal((rbac.authorize(attributes) as AuthorizationDecision).decision, expected, 'at once');
    assert.equal((await hook.authorize(attributes)).decision, expected);
  }
  const text = new MetricText();
  metrics.render(text);
  const name = 'apiserver_authorization_decisions_total';
  assert.deepEqual(text.toString().match(new RegExp(`^${name}.*$`, 'gm')), [
    `${name}{type="RBAC",name="rbac",decision="allowed"} 2`,
    `${name}{type="RBAC",name="rbac",decision="denied"} 1`,
    `${name}{type="Webhook",name="mine",decision="allowed"} 2`,
    `${name}{type="Webhook",name="mine",decision="denied"} 1`,
  ]);
});
