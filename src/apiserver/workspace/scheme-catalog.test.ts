import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineResource } from '#api/define.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { type CustomDefinitions, SchemeCatalog } from './scheme-catalog.ts';
import type { ClusterId } from './workspace.ts';

const widget = (group = 'example.com'): ResourceDefinition => ({
  ...defineResource({
    group,
    kind: 'Widget',
    plural: 'widgets',
    namespaced: true,
    versions: [{ name: 'v1', schema: { type: 'object' } }],
  }),
  origin: 'custom',
});

class FakeCustom implements CustomDefinitions {
  readonly #definitions = new Map<ClusterId, readonly ResourceDefinition[]>();
  readonly #listeners = new Set<(clusterId: ClusterId) => void>();

  set(clusterId: string, ...definitions: ResourceDefinition[]): void {
    this.#definitions.set(clusterId as ClusterId, definitions);
    for (const listener of this.#listeners) listener(clusterId as ClusterId);
  }

  definitionsOf(clusterId: ClusterId): readonly ResourceDefinition[] {
    return this.#definitions.get(clusterId) ?? [];
  }

  onChange(listener: (clusterId: ClusterId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  *allDefinitions(): Iterable<ResourceDefinition> {
    for (const definitions of this.#definitions.values()) yield* definitions;
  }
}

test('workspaces with equal CRDs share one scheme, and get another when theirs change', () => {
  const custom = new FakeCustom();
  const schemes = new SchemeCatalog({ builtin: [], project: [], custom });
  const schemeOf = (id: string) => schemes.schemeOf('universal', id as ClusterId);
  const shared = widget();
  custom.set('a', shared);
  custom.set('b', shared);
  assert.equal(schemeOf('a'), schemeOf('b'));
  assert.equal(schemeOf('none'), schemes.baseOf('universal'));
  assert.notEqual(schemeOf('a'), schemeOf('none'));

  custom.set('b');
  assert.equal(schemeOf('b'), schemes.baseOf('universal'));
  assert.equal(schemeOf('a').definitionOf('example.com', 'widgets'), shared);
  assert.equal(schemes.wildcardScheme().definitionOf('example.com', 'widgets'), shared);
  custom.set('a');
  assert.equal(schemes.wildcardScheme().definitionOf('example.com', 'widgets'), undefined);
  schemes.close();
});

test("a workspace's own CRD never takes a system kind's place", () => {
  const custom = new FakeCustom();
  const schemes = new SchemeCatalog({ builtin: [], project: [], custom });
  custom.set('a', { ...widget('tenancy.kcp.io'), resource: 'workspaces', kind: 'Workspace' });
  const scheme = schemes.schemeOf('universal', 'a' as ClusterId);
  assert.equal(scheme.definitionOf('tenancy.kcp.io', 'workspaces')?.origin, 'system');
  schemes.close();
});
