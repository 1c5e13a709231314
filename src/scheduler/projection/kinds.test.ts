// docs/federation-contract.md: FG1
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { isPropagatedResource } from '#api/policy/selected-kinds.ts';
import { authority } from '#test/isolation/hostile-objects.ts';
import { crdResource, isPrivilegedResource, resourceKey } from './kinds.ts';

/** A project's own under a name of its own (names.ts), and the cell's own (cell-crds.ts). */
const cellWide: readonly string[] = ['namespaces', crdResource];

test('of the built-in kinds without a namespace none travels unasked', () => {
  const travelling = builtinDefinitions()
    .filter(({ namespaced, group, resource }) => !namespaced && isPropagatedResource(group, resource))
    .filter(({ group, resource }) => !isPrivilegedResource(group, resource))
    .map(({ group, resource }) => resourceKey(group, resource));
  assert.deepEqual(travelling.sort(), [...cellWide].sort());
});

test('every kind that must be allowed is among what a hostile project tries', () => {
  const privileged = builtinDefinitions()
    .filter(({ group, resource }) => isPrivilegedResource(group, resource))
    .map(({ group, resource }) => resourceKey(group, resource));
  const tried = authority.map(({ gvr }) => resourceKey(gvr.group, gvr.resource));
  assert.deepEqual(tried.sort(), privileged.sort());
});
