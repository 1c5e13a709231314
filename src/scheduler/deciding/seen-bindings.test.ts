import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeyParts, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { SeenBindings } from './seen-bindings.ts';

const parts = (cluster: string, namespace: string, name: string): KeyParts => ({
  group: 'apps',
  resource: 'deployments',
  cluster,
  namespace,
  name,
});

test('what adds up is complete when all that were bound in the namespace, the project, everywhere have been looked at', () => {
  const woken: ProjectObjectKey[] = [];
  const seen = new SeenBindings((key) => woken.push(key));
  const bound = [
    parts('p', 'one', 'a'),
    parts('p', 'one', 'b'),
    parts('p', 'two', 'c'),
    parts('q', 'one', 'd'),
  ];
  const [a, b, c, d] = bound.map(keyOf) as [
    ProjectObjectKey,
    ProjectObjectKey,
    ProjectObjectKey,
    ProjectObjectKey,
  ];
  const inOne = keyOf(parts('p', 'one', 'new'));
  const inThree = keyOf(parts('p', 'three', 'new'));
  seen.expect(bound);
  assert.equal(seen.isComplete(inThree), true, 'nothing was bound in its namespace');
  assert.equal(seen.isComplete(inOne), false);
  assert.equal(seen.isProjectComplete(inThree), false);
  assert.equal(seen.isAllComplete(d), false);
  seen.see(a);
  assert.deepEqual(woken, []);
  seen.see(b);
  assert.deepEqual(woken.splice(0), [inOne]);
  assert.equal(seen.isProjectComplete(inOne), false);
  seen.see(c);
  assert.deepEqual(woken.splice(0), [inThree, inOne]);
  assert.equal(seen.isProjectComplete(inThree), true);
  assert.equal(seen.isProjectComplete(d), false, 'another project');
  seen.see(d);
  assert.deepEqual(woken.splice(0), [d, d], 'for its project, and for all');
  seen.expect([parts('p', 'one', 'a')]);
  assert.equal(seen.isProjectComplete(inThree), false, 'again, when a first quota comes');
});
