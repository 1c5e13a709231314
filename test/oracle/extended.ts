import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import { namespace } from './pair.ts';

export const extendedGroup = 'extended.example.org';
const gvr = { group: extendedGroup, version: 'v1', resource: 'gears' } as const;

/** Makes the kind that both sides are asked for, and its namespace, where it is served. */
export async function definition(client: KubeClient): Promise<void> {
  const names = { plural: 'gears', singular: 'gear', kind: 'Gear', shortNames: ['gr'], categories: ['all'] };
  const properties: JsonObject = {
    spec: {
      type: 'object',
      properties: { teeth: { type: 'integer', maximum: 100 }, name: { type: 'string' } },
    },
    status: { type: 'object', properties: { turns: { type: 'integer' } } },
  };
  await client.create(
    {
      cluster: undefined,
      gvr: { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' },
    },
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `gears.${extendedGroup}` },
      spec: {
        ...{ group: extendedGroup, names, scope: 'Namespaced' },
        versions: [
          {
            ...{ name: 'v1', served: true, storage: true, subresources: { status: {} } },
            schema: { openAPIV3Schema: { type: 'object', properties } },
            additionalPrinterColumns: [{ name: 'Teeth', type: 'integer', jsonPath: '.spec.teeth' }],
          },
        ],
      },
    },
  );
  await client.create(
    { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'namespaces' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  );
  await until('gears are served', () => client.list({ cluster: undefined, gvr, namespace }));
}

const root = `/apis/${extendedGroup}/v1/namespaces/${namespace}/gears`;

/** A life of objects, from nothing to nothing: it may be lived again. */
export function* extendedSteps(): Generator<RawRequest> {
  const gear = (name: string, more: JsonObject) =>
    JSON.stringify({ apiVersion: `${extendedGroup}/v1`, kind: 'Gear', metadata: { name }, ...more });
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const patch = (contentType: string, path: string, body: JsonObject | JsonObject[] | string) => ({
    ...{ method: 'PATCH', contentType, path: `${root}/${path}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  yield { path: root };
  yield { path: root, body: gear('a', { spec: { teeth: 3 } }) };
  yield { path: root, body: gear('a', { spec: { teeth: 3 } }) };
  yield { path: root, body: gear('b', { spec: { teeth: 101 } }) };
  yield { path: root, body: gear('b', { spec: { cogs: 1 } }) };
  yield { path: `${root}?fieldValidation=Strict`, body: gear('c', { spec: { cogs: 1 } }) };
  yield { path: `${root}?dryRun=All`, body: gear('c', {}) };
  yield { path: `${root}/a` };
  yield { path: `${root}/none` };
  yield { path: root, headers: { accept: table } };
  yield { path: `${root}/a`, headers: { accept: table } };
  yield { path: `${root}/a`, headers: { accept: 'application/yaml' } };
  yield { path: root, headers: { accept: 'application/vnd.kubernetes.protobuf' } };
  yield { path: `${root}?limit=1` };
  yield { path: `${root}?fieldSelector=metadata.name%3Db` };
  yield { path: `${root}?labelSelector=!!` };
  yield patch('application/merge-patch+json', 'a', { spec: { teeth: 4 } });
  yield patch('application/json-patch+json', 'a', [{ op: 'replace', path: '/spec/teeth', value: 5 }]);
  yield patch('application/strategic-merge-patch+json', 'a', { spec: { teeth: 4 } });
  yield patch('application/apply-patch+yaml', 'a?fieldManager=one', gear('a', { spec: { name: 'x' } }));
  yield patch('application/apply-patch+yaml', 'a?fieldManager=two', gear('a', { spec: { name: 'y' } }));
  yield patch(
    'application/apply-patch+yaml',
    'd?fieldManager=two&force=true',
    gear('d', { spec: { name: 'y' } }),
  );
  yield patch('application/merge-patch+json', 'a/status', { status: { turns: 1 } });
  yield patch('text/plain', 'a', '{}');
  yield { path: `${root}/a`, method: 'PUT', body: gear('a', {}) };
  yield { path: `${root}/a/scale` };
  yield { path: `${root}?watch=true&timeoutSeconds=1` };
  yield { path: `${root}?watch=true&timeoutSeconds=1`, headers: { accept: table } };
  yield {
    path: `${root}?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  };
  yield { path: `${root}?watch=true&resourceVersion=1&timeoutSeconds=1` };
  yield { path: root, headers: { 'impersonate-user': 'eve' } };
  yield { path: root, body: 'no json' };
  yield { path: `${root}/a`, method: 'DELETE' };
  yield { path: root, method: 'DELETE' };
  yield { path: root };
}
