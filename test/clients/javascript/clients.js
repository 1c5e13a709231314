// Does with a server what JavaScript programs do, with @kubernetes/client-node as it is. One line of JSON for each check.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const custom = config.makeApiClient(k8s.CustomObjectsApi);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const namespace = 'default';
const kites = { group: 'javascript.example.com', version: 'v1', namespace, plural: 'kites' };

const kiteDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'kites.javascript.example.com' },
  spec: {
    group: kites.group,
    scope: 'Namespaced',
    names: { plural: 'kites', singular: 'kite', kind: 'Kite', listKind: 'KiteList' },
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
              spec: { type: 'object', properties: { tails: { type: 'integer' } } },
              status: { type: 'object', properties: { aloft: { type: 'boolean' } } },
            },
          },
        },
      },
    ],
  },
};

const kite = (name, tails) => ({
  apiVersion: 'javascript.example.com/v1',
  kind: 'Kite',
  metadata: { name, namespace },
  spec: { tails },
});

const codeOf = (code) => (error) => error.code === code;

async function eventually(what, condition) {
  for (const endMs = Date.now() + 20_000; Date.now() < endMs; await pause(20)) if (await condition()) return;
  throw new Error(`did not come true: ${what}`);
}

const checks = {
  async 'create, read, list, patch, replace, delete'() {
    const body = { metadata: { name: 'settings', labels: { of: 'javascript' } }, data: { a: '1' } };
    const made = await core.createNamespacedConfigMap({ namespace, body });
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    const list = await core.listNamespacedConfigMap({ namespace, labelSelector: 'of=javascript' });
    assert.equal(list.items.length, 1);
    const patch = [{ op: 'add', path: '/data/b', value: '2' }];
    const patched = await core.patchNamespacedConfigMap({ name: 'settings', namespace, body: patch });
    assert.deepEqual(patched.data, { a: '1', b: '2' });
    const merge = { data: { a: null, c: '3' } };
    const merged = await core.patchNamespacedConfigMap(
      { name: 'settings', namespace, body: merge },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(merged.data, { b: '2', c: '3' });
    merged.data = { d: '4' };
    await core.replaceNamespacedConfigMap({ name: 'settings', namespace, body: merged });
    await assert.rejects(
      core.replaceNamespacedConfigMap({ name: 'settings', namespace, body: merged }),
      codeOf(409),
    );
    await core.deleteNamespacedConfigMap({ name: 'settings', namespace });
    await assert.rejects(core.readNamespacedConfigMap({ name: 'settings', namespace }), codeOf(404));
  },

  async 'an informer follows'() {
    const list = () => core.listNamespacedConfigMap({ namespace });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
    const seen = [];
    for (const type of ['add', 'update', 'delete'])
      informer.on(type, ({ metadata }) => metadata.name === 'seen' && seen.push(type));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'seen' } } });
    const body = [{ op: 'add', path: '/data', value: { a: 'b' } }];
    await core.patchNamespacedConfigMap({ name: 'seen', namespace, body });
    await core.deleteNamespacedConfigMap({ name: 'seen', namespace });
    await eventually('add, update, delete', () => seen.join() === 'add,update,delete');
    await informer.stop();
  },

  async 'workloads, scale, server-side apply of any object'() {
    const labels = { app: 'web' };
    const web = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'nginx' }] } },
      },
    };
    const apply = (manager) =>
      objects.patch(web, undefined, undefined, manager, false, k8s.PatchStrategy.ServerSideApply);
    await apply('javascript');
    web.spec.replicas = 2;
    await assert.rejects(apply('other'), codeOf(409));
    const scale = await apps.readNamespacedDeploymentScale({ name: 'web', namespace });
    scale.spec.replicas = 3;
    await apps.replaceNamespacedDeploymentScale({ name: 'web', namespace, body: scale });
    assert.equal((await apps.readNamespacedDeployment({ name: 'web', namespace })).spec.replicas, 3);
    await apps.deleteNamespacedDeployment({ name: 'web', namespace });
  },

  async 'custom resources'() {
    await objects.create(kiteDefinition);
    const list = () => custom.listNamespacedCustomObject(kites);
    await eventually('the kind is served', () =>
      list().then(
        () => true,
        () => false,
      ),
    );
    await custom.createNamespacedCustomObject({ ...kites, body: kite('red', 1) });
    const body = [{ op: 'replace', path: '/spec/tails', value: 3 }];
    const patched = await custom.patchNamespacedCustomObject({ ...kites, name: 'red', body });
    assert.equal(patched.spec.tails, 3);
    const withStatus = { ...patched, status: { aloft: true } };
    await custom.replaceNamespacedCustomObjectStatus({ ...kites, name: 'red', body: withStatus });
    const types = [];
    const ended = new Promise((resolve, reject) => {
      new k8s.Watch(config)
        .watch(
          `/apis/${kites.group}/v1/namespaces/${namespace}/kites`,
          { resourceVersion: patched.metadata.resourceVersion, timeoutSeconds: 1 },
          (type, object) => types.push(`${type} ${object.status?.aloft}`),
          resolve,
        )
        .catch(reject);
    });
    await ended;
    assert.deepEqual(types, ['MODIFIED true']);
    await assert.rejects(
      custom.createNamespacedCustomObject({ ...kites, body: kite('torn', 'many') }),
      codeOf(422),
    );
    await custom.deleteNamespacedCustomObject({ ...kites, name: 'red' });
    assert.deepEqual((await list()).items, []);
  },
};

for (const [check, run] of Object.entries(checks)) {
  const outcome = { check };
  try {
    await run();
  } catch (error) {
    process.exitCode = 1;
    outcome.error = error.stack;
  }
  console.log(JSON.stringify(outcome));
}
