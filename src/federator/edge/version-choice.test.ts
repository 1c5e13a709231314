import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '#apimachinery/json.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ServedKinds } from './edge-kinds.ts';
import type { ServedKind } from './served-kind.ts';
import { VersionChoice } from './version-choice.ts';

const signal = new AbortController().signal;

/** A server's aggregated discovery of one resource, in these versions. */
function discoveryOf(group: string, resource: string, kind: string, versions: readonly string[]): JsonValue {
  const verbs = ['list', 'watch', 'patch', 'delete'];
  return {
    kind: 'APIGroupDiscoveryList',
    items: [
      {
        metadata: { name: group },
        versions: versions.map((version) => ({
          version,
          resources: [{ resource, responseKind: { kind }, scope: 'Namespaced', verbs, subresources: [] }],
        })),
      },
    ],
  };
}

/** Versions that an edge and the cell's workspace serve of one resource; which one is mirrored is the test's to say. */
function worldOf(group: string, resource: string, edge: readonly string[], workspace: readonly string[]) {
  const asked = { edge: 0, workspace: 0 };
  const present = { edge, workspace };
  const clock = new ManualClock();
  const kindsOf = (side: 'edge' | 'workspace') => {
    const client: KubeClient = {
      ...new ScriptedClient().client,
      raw: async ({ path }) => {
        if (path === '/api') return { kind: 'APIGroupDiscoveryList', items: [] };
        asked[side]++;
        return discoveryOf(group, resource, 'Thing', present[side]);
      },
    };
    return new ServedKinds({ client, clock, signal, refreshMinMs: 1, refreshMaxMs: 1 });
  };
  const mirrored: { kind?: ServedKind | undefined } = {};
  const edgeKinds = kindsOf('edge');
  const choice = new VersionChoice({
    edgeKinds,
    workspaceKinds: kindsOf('workspace'),
    mirror: { kindOf: () => mirrored.kind },
  });
  const find = async (version: string) => {
    clock.advance(10);
    mirrored.kind = await choice.find({ group, version, resource, namespace: 'ns', name: 'a' });
    return mirrored.kind?.version;
  };
  const release = async () => {
    clock.advance(10);
    await edgeKinds.refresh();
    const { kind } = mirrored;
    if (kind !== undefined && edgeKinds.peek(group, kind.version, resource) === undefined) {
      mirrored.kind = undefined;
    }
  };
  return { present, asked, find, release };
}

test('the copy’s own version is taken where the edge serves it, and the workspace is not asked', async () => {
  const { find, asked } = worldOf('example.com', 'things', ['v2', 'v1'], []);
  assert.equal(await find('v1'), 'v1');
  assert.deepEqual(asked, { edge: 1, workspace: 0 });
});

test('of custom kinds one that both sides serve; none is none', async () => {
  const common = worldOf('example.com', 'things', ['v3', 'v1beta1'], ['v1', 'v1beta1']);
  assert.equal(await common.find('v1'), 'v1beta1');
  const apart = worldOf('example.com', 'things', ['v3'], ['v1', 'v1beta1']);
  assert.equal(await apart.find('v1'), undefined);
  const nowhere = worldOf('example.com', 'things', [], ['v1']);
  assert.equal(await nowhere.find('v1'), undefined);
  assert.equal(nowhere.asked.workspace, 0, 'it could not help');
});

test('of Kubernetes’ own kinds the best that they can be written in', async () => {
  const hpas = (...edge: string[]) => worldOf('autoscaling', 'horizontalpodautoscalers', edge, []);
  assert.equal(await hpas('v2', 'v1').find('v2'), 'v2');
  assert.equal(await hpas('v1', 'v2beta1', 'v2beta2').find('v2'), 'v2beta2', 'not the first that is served');
  assert.equal(await hpas('v1').find('v2'), 'v1');
  assert.equal(await hpas('v2alpha1').find('v2'), undefined);
});

test('all objects of a kind keep to one version while it is served', async () => {
  const { present, find, release } = worldOf('example.com', 'things', ['v1beta1'], ['v1', 'v1beta1']);
  assert.equal(await find('v1'), 'v1beta1');
  present.edge = ['v1', 'v1beta1'];
  await release();
  assert.equal(await find('v1'), 'v1beta1', 'a better one is no reason');
  present.edge = ['v1'];
  await release();
  assert.equal(await find('v1beta1'), 'v1');
  assert.equal(await find('v1'), 'v1');
});
