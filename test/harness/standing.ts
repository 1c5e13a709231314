import assert from 'node:assert/strict';
import { objectsAt } from '#api/builtin/read.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef } from '#client/client.ts';
import type { LoneServer } from './lone-server.ts';
import { until } from './until.ts';

/** What stands in a server while it is mistreated, and must be found as it was. */
export interface Standing {
  /** Asserts that the server lives, answers, and holds exactly what it held. */
  assertUnharmed(): Promise<void>;
}

export const widgetsGvr = { group: 'example.com', version: 'v1', resource: 'widgets' } as const;

/** A kind with a part of each sort: typed, free, and with names that every JavaScript object inherits. */
export const widgetsCrd: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 0, maximum: 100 },
                  constructor: { type: 'string', default: 'made by default' },
                  toString: { type: 'integer' },
                  hasOwnProperty: { type: 'boolean' },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
            },
          },
        },
      },
    ],
  },
};

const standingNamespace = 'standing';

/** Makes objects of several sorts in `root` and remembers them. */
export async function standIn(server: LoneServer): Promise<Standing> {
  const collections = await createStanding(server);
  const before = await readAll(server, collections);
  return {
    async assertUnharmed() {
      assert.equal(processLives(server.process.pid), true, `the server died:\n${server.process.output()}`);
      assert.deepEqual(await readAll(server, collections), before, 'what was stored is as it was');
    },
  };
}

async function createStanding({ admin }: LoneServer): Promise<CollectionRef[]> {
  const cluster = 'root';
  const core = (resource: string) => ({ group: '', version: 'v1', resource });
  const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
  const namespace = standingNamespace;
  const metadata = { name: 'a', namespace, labels: { constructor: 'x' }, annotations: { valueOf: 'y' } };
  await admin.create({ cluster, gvr: crds }, widgetsCrd);
  await admin.create(
    { cluster, gvr: core('namespaces') },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  );
  const configMaps: CollectionRef = { cluster, gvr: core('configmaps'), namespace };
  const secrets: CollectionRef = { cluster, gvr: core('secrets'), namespace };
  const widgets: CollectionRef = { cluster, gvr: widgetsGvr, namespace };
  const data = { key: 'väluе', toString: 'text', constructor: 'text' };
  await admin.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  await admin.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    stringData: { password: 'secret' },
  });
  await until('the widgets are served', () =>
    admin.create(widgets, {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata,
      spec: {
        size: 1,
        toString: 2,
        hasOwnProperty: true,
        free: { constructor: { prototype: 1 }, valueOf: [0] },
      },
    }),
  );
  // What the server itself adds has come too.
  await until('the namespace has what every one is given', () =>
    admin.get({ ...configMaps, name: 'kube-root-ca.crt' }),
  );
  await until('the definition says that it is established', async () =>
    objectsAt(
      await admin.get({ cluster, gvr: crds, name: widgetsCrd.metadata.name ?? '' }),
      'status',
      'conditions',
    ).some(({ type, status }) => type === 'Established' && status === 'True'),
  );
  return [configMaps, secrets, widgets, { cluster, gvr: crds }];
}

async function readAll({ admin }: LoneServer, collections: readonly CollectionRef[]): Promise<KubeObject[]> {
  const lists = await Promise.all(collections.map((collection) => admin.list(collection)));
  return lists.flatMap(({ items }) => items);
}

function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
