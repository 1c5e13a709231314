import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { type CopyPlace, copyKeyOf } from '../cell/copy-keys.ts';
import { CopyReader } from './copy-reader.ts';

const { signal } = new AbortController();

/** A cell's workspace with one copy, stored in the place's version; `spec`: of its definition, if it has one. */
function worldOf(place: CopyPlace, copy: KubeObject, definition: JsonObject | undefined) {
  const read: string[] = [];
  const clock = new ManualClock();
  const reader = new CopyReader({
    clock,
    copies: { takeWhole: () => undefined },
    workspace: {
      read: async ({ resource, version }) => {
        read.push(`${resource} in ${version}`);
        if (resource !== place.resource) {
          return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'X', metadata: {}, spec: definition ?? {} };
        }
        const apiVersion = `${place.group}/${version}`;
        return version === place.version ? copy : { ...copy, apiVersion, spec: { converted: true } };
      },
    },
  });
  const inVersion = (version: string) => {
    const { group, resource } = place;
    const kind = {
      group,
      version,
      resource,
      kind: 'X',
      namespaced: true,
      hasStatus: false,
      isSyncable: true,
    };
    return reader.read(kind, { key: copyKeyOf(place), place }, signal);
  };
  return { read, clock, inVersion };
}

const gizmos = { group: 'example.com', version: 'v1', resource: 'gizmos', namespace: 'ns', name: 'a' };
const gizmo: KubeObject = {
  apiVersion: 'example.com/v1',
  kind: 'Gizmo',
  metadata: { name: 'a' },
  spec: { size: 1, color: 'red' },
};

test('in the version that it is stored in a copy is read as it is', async () => {
  const { read, inVersion } = worldOf(gizmos, gizmo, undefined);
  assert.deepEqual(await inVersion('v1'), gizmo);
  assert.deepEqual(read, ['gizmos in v1']);
});

test('in another version of a custom kind it keeps the fields that this one may not have', async () => {
  const { read, clock, inVersion } = worldOf(gizmos, gizmo, { conversion: { strategy: 'None' } });
  const expected = { ...gizmo, apiVersion: 'example.com/v1beta1' };
  assert.deepEqual(await inVersion('v1beta1'), expected);
  assert.deepEqual(await inVersion('v1beta1'), expected);
  const crd = 'customresourcedefinitions in v1';
  assert.deepEqual(read, [crd, 'gizmos in v1', 'gizmos in v1'], 'the definition is remembered');
  clock.advance(60_000);
  await inVersion('v1beta1');
  assert.deepEqual(read.slice(3), [crd, 'gizmos in v1']);
});

test('what a webhook converts is converted by it', async () => {
  const { read, inVersion } = worldOf(gizmos, gizmo, { conversion: { strategy: 'Webhook' } });
  assert.deepEqual((await inVersion('v1beta1'))?.['spec'], { converted: true });
  assert.deepEqual(read, ['customresourcedefinitions in v1', 'gizmos in v1beta1']);
});

test('Kubernetes’ own kinds are written in an older version here', async () => {
  const place = { ...gizmos, group: 'policy', resource: 'poddisruptionbudgets' };
  const pdb = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {},
    spec: { maxUnavailable: 1 },
  };
  const { read, inVersion } = worldOf(place, pdb, undefined);
  assert.deepEqual(await inVersion('v1beta1'), { ...pdb, apiVersion: 'policy/v1beta1' });
  assert.deepEqual(read, ['poddisruptionbudgets in v1']);
});
