import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceGates } from './namespace-gates.ts';

test('a namespace closes when nothing is on its way into it, and opens again', () => {
  const gates = new NamespaceGates();
  const look = gates.look('a');
  assert.equal(look.close(), true);
  assert.equal(gates.enter('a'), false);
  assert.equal(gates.enter('b'), true, 'others are not concerned');
  look.end();
  assert.equal(gates.enter('a'), true);
});

test('it does not close over what began before the look and is not over', () => {
  const gates = new NamespaceGates();
  gates.enter('a');
  const look = gates.look('a');
  assert.equal(look.close(), false);
  look.end();
  const later = gates.look('a');
  gates.leave('a');
  assert.equal(later.close(), false, 'nor over what ended within the look: it may have been listed before');
  later.end();
  assert.equal(gates.look('a').close(), true);
});

test('what comes within the look goes through, and keeps the namespace', () => {
  const gates = new NamespaceGates();
  const look = gates.look('a');
  assert.equal(gates.enter('a'), true);
  gates.leave('a');
  assert.equal(look.close(), false);
});
