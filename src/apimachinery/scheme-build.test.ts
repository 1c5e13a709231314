import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceDefinition } from './resource-definition.ts';
import { createScheme, extendScheme } from './scheme-build.ts';

function definition(
  group: string,
  resource: string,
  kind: string,
  more: Partial<ResourceDefinition> = {},
): ResourceDefinition {
  return {
    group,
    resource,
    kind,
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    storedAs: { group, resource },
    storageVersion: 'v1',
    versions: [
      {
        version: 'v1',
        served: true,
        schema: {},
        verbs: ['get'],
        subresources: [],
        columns: [],
        selectableFields: new Map(),
      },
      {
        version: 'v0',
        served: false,
        schema: {},
        verbs: ['get'],
        subresources: [],
        columns: [],
        selectableFields: new Map(),
      },
    ],
    strategy: {},
    origin: 'builtin',
    ...more,
  };
}

const pods = definition('', 'pods', 'Pod');
const deployments = definition('apps', 'deployments', 'Deployment');

test('a scheme finds served versions only', () => {
  const scheme = createScheme([deployments, pods]);
  assert.deepEqual(scheme.definitions, [pods, deployments]);
  assert.equal(scheme.lookupResource('apps', 'v1', 'deployments')?.definition, deployments);
  assert.equal(scheme.lookupResource('apps', 'v0', 'deployments'), undefined);
  assert.equal(scheme.lookupKind('', 'v1', 'Pod')?.definition, pods);
  assert.equal(scheme.definitionOf('', 'pods'), pods);
  assert.equal(scheme.hasGroupVersion('apps', 'v1'), true);
  assert.equal(scheme.hasGroupVersion('apps', 'v0'), false);
  assert.equal(scheme.lookupResource('', 'v1', 'constructor'), undefined);
  assert.throws(() => createScheme([pods, pods]), RangeError);
});

test('the hash is one of content', () => {
  const again = definition('', 'pods', 'Pod');
  assert.equal(createScheme([pods, deployments]).hash, createScheme([deployments, again]).hash);
  assert.notEqual(createScheme([pods]).hash, createScheme([deployments]).hash);
  const custom = (contentHash: string) => definition('x.io', 'xs', 'X', { origin: 'custom', contentHash });
  const base = createScheme([pods]);
  assert.equal(extendScheme(base, [custom('1')]).hash, extendScheme(base, [custom('1')]).hash);
  assert.notEqual(extendScheme(base, [custom('1')]).hash, extendScheme(base, [custom('2')]).hash);
});

test('extra definitions never displace those of the base', () => {
  const base = createScheme([pods, deployments]);
  const rivalName = definition('apps', 'deployments', 'Other');
  const rivalKind = definition('apps', 'deploys', 'Deployment');
  assert.equal(extendScheme(base, [rivalName, rivalKind]), base);
  const widgets = definition('x.io', 'widgets', 'Widget');
  const extended = extendScheme(base, [widgets, definition('x.io', 'widgets', 'Second'), rivalName]);
  assert.deepEqual(extended.definitions, [pods, deployments, widgets]);
  assert.equal(extended.lookupKind('x.io', 'v1', 'Widget')?.definition, widgets);
  assert.equal(extended.lookupKind('apps', 'v1', 'Deployment')?.definition, deployments);
  assert.equal(extended.hasGroupVersion('x.io', 'v1'), true);
  assert.equal(extended.definitionOf('x.io', 'widgets'), widgets);
});
