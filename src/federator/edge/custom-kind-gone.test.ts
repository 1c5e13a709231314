// docs/federation-contract.md: FU3
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { goneKinds, isResourceGone } from './custom-kind-gone.ts';

const database = { group: 'db.example.com', version: 'v1', kind: 'Database' };
const { signal } = new AbortController();

function apis(...groupVersions: string[]): JsonObject {
  const groups = groupVersions.map((groupVersion) => ({
    name: groupVersion.slice(0, groupVersion.indexOf('/')),
    versions: [{ groupVersion, version: groupVersion.slice(groupVersion.indexOf('/') + 1) }],
  }));
  return { kind: 'APIGroupList', apiVersion: 'v1', groups };
}

function definition(plural: string, kind: string, group = database.group): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, names: { kind, plural } },
  };
}

/** `apiService`: the spec of that of the kind's group version. */
function edgeOf(answer: JsonValue, items: KubeObject[] = [], unreadable = false, apiService?: JsonObject) {
  const scripted = new ScriptedClient();
  scripted.items = items;
  const client: KubeClient = {
    ...scripted.client,
    raw: async () => answer,
    get: async ({ gvr, name }) => {
      if (gvr.resource === 'apiservices' && name === 'v1.db.example.com' && apiService !== undefined) {
        return {
          apiVersion: 'apiregistration.k8s.io/v1',
          kind: 'APIService',
          metadata: { name },
          spec: apiService,
        };
      }
      const found = items.find(({ metadata }) => metadata.name === name);
      if (found === undefined || unreadable) throw new ApiError('NotFound', name, { details: { name } });
      return structuredClone(found);
    },
  };
  return { client, scripted };
}

const own = 'apiextensions.k8s.io/v1';
const others = Array.from({ length: 300 }, (_, index) =>
  definition(`a${index}s`, `A${index}`, 'other.example.com'),
);

const rows: readonly (readonly [string, ReturnType<typeof edgeOf>, boolean])[] = [
  ['neither its group version nor its definition is there', edgeOf(apis(own, 'apps/v1'), others), true],
  [
    'another version of its group is there, with another kind’s definition',
    edgeOf(apis(own, 'db.example.com/v2'), [definition('backups', 'Backup')]),
    true,
  ],
  [
    'its group version is there, and the edge does not say whose it is',
    edgeOf(apis(own, 'db.example.com/v1')),
    false,
  ],
  [
    'its group version is there, of an extension server',
    edgeOf(apis(own, 'db.example.com/v1'), [], false, { service: { name: 'databases', namespace: 'db' } }),
    false,
  ],
  [
    'its group version is there, of another kind’s definition',
    edgeOf(apis(own, 'db.example.com/v1'), [definition('backups', 'Backup')], false, {
      group: 'db.example.com',
    }),
    true,
  ],
  [
    'its group version is there, of another kind’s definition, and its own definition stands',
    edgeOf(
      apis(own, 'db.example.com/v1'),
      [definition('backups', 'Backup'), definition('databases', 'Database')],
      false,
      { group: 'db.example.com' },
    ),
    false,
  ],
  [
    'its definition is there, on a later page',
    edgeOf(apis(own), [...others, definition('databases', 'Database')]),
    false,
  ],
  ['its definition is there under another plural', edgeOf(apis(own), [definition('dbs', 'Database')]), false],
  [
    'a definition of its group goes meanwhile',
    edgeOf(apis(own), [definition('backups', 'Backup')], true),
    false,
  ],
  [
    'a definition of its group does not say of which kind',
    edgeOf(apis(own), [{ ...definition('backups', 'Backup'), spec: { group: database.group } }]),
    false,
  ],
  ['the server does not know its own groups yet', edgeOf(apis('apiregistration.k8s.io/v1')), false],
  ['the answer is no list of groups', edgeOf({ kind: 'APIGroupDiscoveryList', items: [] }), false],
];
const databases = { group: database.group, version: 'v1', resource: 'databases' };
const byPlural: readonly (readonly [string, ReturnType<typeof edgeOf>, boolean])[] = [
  ['neither group version nor definition is there', edgeOf(apis(own)), true],
  ['its definition is there', edgeOf(apis(own), [definition('databases', 'Database')]), false],
  [
    'its group version is there, of another kind’s definition',
    edgeOf(apis(own, 'db.example.com/v1'), [], false, { group: database.group }),
    true,
  ],
  [
    'its group version is there, of an extension server',
    edgeOf(apis(own, 'db.example.com/v1'), [], false, { service: { name: 'databases', namespace: 'db' } }),
    false,
  ],
  ['the server does not know its own groups yet', edgeOf(apis('apiregistration.k8s.io/v1')), false],
];
for (const [name, { client }, isGone] of byPlural) {
  test(`a custom resource is ${isGone ? '' : 'not '}gone from an edge: ${name}`, async () => {
    assert.equal(await isResourceGone(client, databases, signal), isGone);
  });
}

test('an answer that the path of definitions is not there says nothing of one', async () => {
  const { client } = edgeOf(apis(own));
  const pathless: KubeClient = { ...client, get: () => Promise.reject(new ApiError('NotFound', 'no path')) };
  assert.equal(await isResourceGone(pathless, databases, signal), false);
});

for (const [name, { client }, isGone] of rows) {
  test(`a custom kind is ${isGone ? '' : 'not '}gone from an edge: ${name}`, async () => {
    assert.deepEqual(await goneKinds(client, [database], signal), isGone ? [database] : []);
  });
}

test('definitions are read newest, page by page, and none when all group versions are another server’s', async () => {
  const gone = edgeOf(apis(own), others);
  await goneKinds(gone.client, [database], signal);
  assert.deepEqual(
    gone.scripted.lists.map(({ resourceVersion, limit, continue: token }) => [resourceVersion, limit, token]),
    [
      [undefined, 250, undefined],
      [undefined, 250, '250'],
    ],
  );
  const served = edgeOf(apis(own, 'db.example.com/v1'), others);
  await goneKinds(served.client, [database], signal);
  assert.deepEqual(served.scripted.lists, []);
});

test('an edge that does not let definitions be read leaves it unknown', async () => {
  const { client } = edgeOf(apis(own));
  const refusing: KubeClient = { ...client, list: () => Promise.reject(new ApiError('Forbidden', 'no')) };
  await assert.rejects(goneKinds(refusing, [database], signal), (error) => isApiError(error, 'Forbidden'));
});
