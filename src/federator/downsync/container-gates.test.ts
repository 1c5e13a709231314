import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerGates, containerNamed, containersOf } from './container-gates.ts';

const a = containerNamed('namespaces', 'a');
const b = containerNamed('namespaces', 'b');

test('a namespace closes when nothing is on its way into it, and opens again', () => {
  const gates = new ContainerGates();
  const look = gates.look(a);
  assert.equal(look.close(), true);
  assert.equal(gates.enter([a]), false);
  assert.equal(gates.enter([b]), true, 'others are not concerned');
  look.end();
  assert.equal(gates.enter([a]), true);
});

test('it does not close over what began before the look and is not over', () => {
  const gates = new ContainerGates();
  gates.enter([a]);
  const look = gates.look(a);
  assert.equal(look.close(), false);
  look.end();
  const later = gates.look(a);
  gates.leave([a]);
  assert.equal(later.close(), false, 'nor over what ended within the look: it may have been listed before');
  later.end();
  assert.equal(gates.look(a).close(), true);
});

test('what comes within the look goes through, and keeps the namespace', () => {
  const gates = new ContainerGates();
  const look = gates.look(a);
  assert.equal(gates.enter([a]), true);
  gates.leave([a]);
  assert.equal(look.close(), false);
});

test('a custom object lies in its namespace and in its kind; of both either keeps it out', () => {
  const gates = new ContainerGates();
  const place = { group: 'example.com', version: 'v1', resource: 'widgets', namespace: 'a', name: 'w' };
  const containers = containersOf(place);
  assert.deepEqual(containers, ['namespaces/a', 'customresourcedefinitions/widgets.example.com']);
  const look = gates.look(containerNamed('customresourcedefinitions', 'widgets.example.com'));
  assert.equal(look.close(), true);
  assert.equal(gates.enter(containers), false);
  look.end();
  assert.equal(gates.look(a).close(), true, 'what did not get in is not on its way');
  assert.deepEqual(containersOf({ ...place, group: 'apps', namespace: '' }), []);
});
