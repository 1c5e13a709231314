import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PropagationPolicy } from '#api/policy/propagation-policy.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { withoutBindingText } from './without-binding.ts';

const object: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
};
const policy = (name: string, selector: JsonObject, more: JsonObject = {}): PropagationPolicy => ({
  apiVersion: 'policy.karmada.io/v1alpha1',
  kind: 'PropagationPolicy',
  metadata: { name, namespace: 'default' },
  spec: { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', ...selector }], ...more },
});
const other = policy('other', { name: 'other' });
const lazy = policy('lazy', { name: 'web' }, { activationPreference: 'Lazy' });
const cases: [told: RegExp, ...policies: PropagationPolicy[]][] = [
  [/^no policy in root:shop selects it; a PropagationPolicy selects in its own namespace alone/, other],
  [/^PropagationPolicy lazy selects it, and is Lazy: it acts when the object is edited next/, other, lazy],
  [/^PropagationPolicy all selects it, but the scheduler has not seen it yet/, lazy, policy('all', {})],
];
for (const [told, ...policies] of cases)
  test(`an object without a binding: ${told}`, () => {
    assert.match(withoutBindingText(object, 'root:shop', policies), told);
  });
