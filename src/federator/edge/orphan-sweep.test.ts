// docs/federation-contract.md: FD7
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient, ListOptions } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ServedKinds } from './edge-kinds.ts';
import { EdgeMirror } from './edge-mirror.ts';
import { OrphanSweep } from './orphan-sweep.ts';

const verbs = ['list', 'watch', 'patch', 'delete'];
const resourcesOf = (version: string, names: readonly string[]) => ({
  version,
  resources: names.map((resource) => ({ resource, scope: 'Namespaced', responseKind: {}, verbs })),
});

interface World {
  readonly copies: string[];
  readonly asked: { resource: string; options: ListOptions }[];
  readonly mirrored: () => string[];
  run(): Promise<number>;
}

/** An edge that serves ConfigMaps, Secrets, Events and Widgets in two versions, with these objects by resource. */
function worldOf(objects: { readonly [resource: string]: readonly KubeObject[] | ApiError }): World {
  const asked: World['asked'] = [];
  const watched = new Set<string>();
  const copies: string[] = [];
  let isSweep = false;
  const scripted = new ScriptedClient().client;
  const client: KubeClient = {
    ...scripted,
    raw: async ({ path }) => ({
      kind: 'APIGroupDiscoveryList',
      items:
        path === '/api'
          ? [{ metadata: {}, versions: [resourcesOf('v1', ['configmaps', 'secrets', 'events'])] }]
          : [
              {
                metadata: { name: 'acme.example' },
                versions: [resourcesOf('v2', ['widgets']), resourcesOf('v1', ['widgets'])],
              },
            ],
    }),
    list: async ({ gvr }, options = {}) => {
      const found = objects[gvr.resource] ?? [];
      // A sweep begins in the server's cache, a mirror does not; further pages are of whoever began.
      if (options.continue === undefined) isSweep = options.resourceVersion === '0';
      if (isSweep) asked.push({ resource: gvr.resource, options });
      if (found instanceof ApiError) throw found;
      const items = options.continue === undefined ? found.slice(0, 1) : found.slice(1);
      const more = options.continue === undefined && found.length > 1;
      return {
        apiVersion: 'v1',
        kind: 'List',
        metadata: { continue: more ? 'next' : '' },
        items: [...items],
      };
    },
    watch: ({ gvr }, options) => {
      watched.add(`${gvr.version}/${gvr.resource}`);
      return scripted.watch({ cluster: undefined, gvr }, options);
    },
  };
  const clock = new ManualClock();
  const kinds = new ServedKinds({ client, clock, signal: new AbortController().signal });
  const mirror = new EdgeMirror({
    edgeClient: client,
    clock,
    logger: silentLogger,
    timeoutMs: 1_000,
    objectsMax: 1_000,
    onOverfull: () => {},
    onChange: () => {},
    onStatus: () => {},
  });
  const sweep = new OrphanSweep({
    edgeClient: client,
    kinds,
    mirror,
    copyKeys: () => copies,
    cellUid: () => 'our-cell',
    quiet: async () => {},
    logger: silentLogger,
  });
  const run = async () => {
    try {
      return await sweep.run(new AbortController().signal);
    } finally {
      await mirror.stop();
    }
  };
  return { copies, asked, mirrored: () => [...watched], run };
}

function applied(
  apiVersion: string,
  { cellUid = 'our-cell', manager = 'cellplane-federator', policy = '' } = {},
): KubeObject {
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'PartialObjectMetadata',
    metadata: {
      name: 'left',
      namespace: 'ns',
      labels: { [copyLabels.originCluster]: 'project1' },
      annotations: {
        [edgeAnnotations.cellUid]: cellUid,
        ...(policy === '' ? {} : { [copyAnnotations.deletionPolicy]: policy }),
      },
      managedFields: [
        { manager, operation: 'Apply', apiVersion, fieldsType: 'FieldsV1', fieldsV1: { 'f:data': {} } },
      ],
    },
  };
}

test('what we applied and has no copy makes its kind be watched, in the version that it was applied in', async () => {
  const { run, mirrored, asked } = worldOf({ widgets: [applied('acme.example/v1')] });
  assert.equal(await run(), 1);
  assert.deepEqual(mirrored(), ['v1/widgets']);
  assert.deepEqual(
    asked.map(({ resource }) => resource),
    ['configmaps', 'secrets', 'widgets'],
    'each kind once, in whatever version; events never',
  );
  for (const { options } of asked) {
    assert.equal(options.labelSelector, copyLabels.originCluster);
    assert.equal(options.resourceVersion, '0');
  }
});

test('kinds of which there are copies are not asked for', async () => {
  const { run, copies, asked } = worldOf({});
  copies.push('/configmaps|ns/a', '/configmaps|ns/b', 'acme.example/widgets|ns/c');
  assert.equal(await run(), 0);
  assert.deepEqual(
    asked.map(({ resource }) => resource),
    ['secrets'],
  );
});

test('what others applied, another Cell left, was meant to stay, or lies in another group is not ours', async () => {
  for (const object of [
    applied('v1', { manager: 'endpoint-controller' }),
    applied('v1', { cellUid: 'another-cell' }),
    applied('v1', { policy: 'Orphan' }),
    applied('other.example/v1'),
  ]) {
    const { run, mirrored } = worldOf({ secrets: [object] });
    assert.equal(await run(), 0);
    assert.deepEqual(mirrored(), []);
  }
});

test('later pages are looked at', async () => {
  const { run, asked } = worldOf({ secrets: [applied('v1', { manager: 'another' }), applied('v1')] });
  assert.equal(await run(), 1);
  const pages = asked.filter(({ resource }) => resource === 'secrets').map(({ options }) => options.continue);
  assert.deepEqual(pages, [undefined, 'next']);
});

test('a kind that may not be listed is left out; an edge that is away ends the sweep', async () => {
  const forbidden = worldOf({
    secrets: new ApiError('Forbidden', 'no'),
    widgets: [applied('acme.example/v2')],
  });
  assert.equal(await forbidden.run(), 1);
  const away = worldOf({ secrets: new ApiError('ServiceUnavailable', 'away') });
  await assert.rejects(away.run(), /away/);
});
