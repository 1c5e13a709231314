import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import type { BindingStore } from '../bindings/binding-store.ts';
import { keyOf } from '../object-key.ts';
import { crdResource } from '../projection/kinds.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import { CopyIndex } from './copy-index.ts';
import type { CopyWriter } from './copy-writer.ts';
import { Withdrawal } from './withdrawal.ts';

const parts = {
  group: 'acme.io',
  resource: 'widgets',
  cluster: 'project',
  namespace: 'default',
  name: 'web',
};
const key = keyOf(parts);
const widget: KubeObject = {
  apiVersion: 'acme.io/v1',
  kind: 'Widget',
  metadata: { name: 'web', namespace: 'default', uid: 'w1' },
};
const definition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.acme.io' },
};
const gone = () => new ApiError('NotFound', 'no', { details: { name: 'web' } });
const notServed = () => new ApiError('NotFound', 'the server could not find the requested resource');

interface Scene {
  /** What a read of the object answers. */
  readonly read: () => KubeObject;
  /** What the watches tell of it, and of its definition. */
  readonly told?: KubeObject;
  readonly defined?: boolean;
  readonly isUnresolved?: boolean;
  readonly isWanted?: boolean;
}

/** One object with one copy and a binding; what was done when it was let go of. */
async function letGo({ read, told, defined = true, isUnresolved = false, isWanted = false }: Scene) {
  const done: string[] = [];
  const copies = new CopyIndex();
  copies.put({
    key,
    cellId: 'cell',
    group: parts.group,
    version: 'v1',
    resource: parts.resource,
    namespace: 'mapped',
    name: 'web',
    uid: 'c1',
    resourceVersion: '1',
    generation: 1,
    deleting: false,
    contentHash: 'h',
    syncedHash: undefined,
    syncError: undefined,
    wantedAgain: undefined,
    origin: { ...parts, controlPlane: 'cp', path: 'root:project', uid: 'w1' },
  });
  const workspace = { id: 'project', path: 'root:project', kind: 'project', deleting: false };
  const withdrawal = new Withdrawal({
    client: { ...new ScriptedClient().client, get: async () => read() },
    workspaces: {
      get: () => workspace,
      project: () => workspace,
      cellOf: () => 'a',
    } as unknown as Workspaces,
    watches: {
      resources: () => [['widgets.acme.io', { group: 'acme.io', version: 'v1', resource: 'widgets' }]],
      get: (name: string) => (name === crdResource ? (defined ? definition : undefined) : told),
    } as unknown as ResourceWatches,
    copies,
    writer: { withdraw: async () => void done.push('withdrawn') } as unknown as CopyWriter,
    bindings: {
      isKnown: () => true,
      read: async () => undefined,
      delete: async () => void done.push('unbound'),
      forget: () => {},
    } as unknown as BindingStore,
    isUnresolved: () => isUnresolved,
  });
  const failure = await withdrawal
    .letGo(key, parts, () => isWanted, new AbortController().signal)
    .then(
      () => undefined,
      (error: Error) => error.message,
    );
  return { done, failure };
}

const all = ['withdrawn', 'unbound'];
for (const [what, scene, done] of [
  [
    'that a read does not find',
    {
      read: () => {
        throw gone();
      },
    },
    all,
  ],
  [
    'of a kind that is served no more while its definition stands',
    {
      read: () => {
        throw notServed();
      },
    },
    [],
  ],
  [
    'of a kind whose definition is gone',
    {
      read: () => {
        throw notServed();
      },
      defined: false,
    },
    all,
  ],
  ['that is there, as the watch told, and nothing selects', { read: () => widget, told: widget }, all],
  ['that is there, and the watch has not told of', { read: () => widget }, []],
  [
    'that was made anew since the watch told of it',
    { read: () => ({ ...widget, metadata: { ...widget.metadata, uid: 'w2' } }), told: widget },
    [],
  ],
  ['that a policy selects which is known since', { read: () => widget, told: widget, isWanted: true }, []],
  ['while a policy is not resolved', { read: () => widget, told: widget, isUnresolved: true }, []],
  [
    'that is going',
    {
      read: () => ({
        ...widget,
        metadata: { ...widget.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      }),
    },
    all,
  ],
  [
    'of which the API server does not say',
    {
      read: () => {
        throw new ApiError('ServiceUnavailable', 'away');
      },
    },
    [],
  ],
] as readonly (readonly [string, Scene, readonly string[]])[]) {
  test(`an object ${what} ${done.length > 0 ? 'loses' : 'keeps'} its copies and its binding`, async () => {
    const result = await letGo(scene);
    assert.deepEqual(result.done, done);
    assert.equal(result.failure === undefined, done.length > 0, result.failure ?? 'nothing failed');
  });
}
