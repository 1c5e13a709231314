import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FairNode } from './fair-node.ts';

describe('fair order (O2)', () => {
  test('waiting workspaces are served alike, and the one that has just come first', () => {
    const root = new FairNode<string>(undefined);
    const flood = new FairNode<string>(root);
    const other = new FairNode<string>(root);
    for (let i = 0; i < 1_000; i++) flood.push('flood');
    const take = () => {
      const leaf = root.next();
      leaf?.charge(0.1);
      return leaf?.shift();
    };
    for (let i = 0; i < 50; i++) assert.equal(take(), 'flood');
    other.push('quiet');
    assert.equal(take(), 'quiet', 'new flows go before those that have had their turn');
    for (let i = 0; i < 200; i++) other.push('quiet');
    const next = Array.from({ length: 200 }, take);
    const quiet = next.filter((one) => one === 'quiet').length;
    assert.ok(quiet > 90 && quiet < 110, `half each, ${quiet} of 200`);
    while (take() !== undefined);
    assert.equal(root.queued, 0);
  });

  test('weights divide the time', () => {
    const root = new FairNode<string>(undefined);
    const small = new FairNode<string>(root, 1);
    const large = new FairNode<string>(root, 3);
    for (let i = 0; i < 1_000; i++) {
      small.push('small');
      large.push('large');
    }
    let larges = 0;
    for (let i = 0; i < 400; i++) {
      const leaf = root.next();
      leaf?.charge(0.1);
      if (leaf?.shift() === 'large') larges++;
    }
    assert.ok(larges > 280 && larges < 320, `three quarters of 400, ${larges}`);
  });
});
