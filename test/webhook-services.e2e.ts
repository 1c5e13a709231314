// Webhooks that a workspace names by a Service (KUBERNETES.md A2, R7): conversion between versions of a CRD that differ
// in shape, and admission.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { textAt, valueAt } from '#api/builtin/read.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import { ServiceNetworks } from '#apiserver/services/service-networks.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { certificateFor } from './extension/extension-server.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { InProcessServer } from './harness/in-process-server.ts';
import { patient } from './harness/patient.ts';
import { RawHttp } from './harness/raw-http.ts';
import { adminConnectionTo, createTestPki } from './harness/test-pki.ts';
import { until } from './harness/until.ts';

const group = 'shapes.example.org';
const at = (version: string) => ({
  cluster: 'root',
  gvr: { group, version, resource: 'lines' },
  namespace: 'default',
});
const crds = {
  cluster: 'root',
  gvr: { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' },
};
const configurations = {
  cluster: 'root',
  gvr: { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'mutatingwebhookconfigurations' },
};

/** v1: `spec.hostPort: "a:1"`; v2: `spec.host: a`, `spec.port: "1"`. */
function converted(object: JsonObject, apiVersion: string): JsonObject {
  const { replicas, ...spec } = (object['spec'] ?? {}) as {
    replicas?: number;
    hostPort?: string;
    host?: string;
    port?: string;
  };
  const more = replicas === undefined ? {} : { replicas };
  if (apiVersion.endsWith('/v1')) {
    const { host, port } = spec;
    const hostPort =
      host === undefined && port === undefined ? {} : { hostPort: `${host ?? ''}:${port ?? ''}` };
    return { ...object, apiVersion, spec: { ...hostPort, ...more } };
  }
  if (spec.hostPort === undefined) return { ...object, apiVersion, spec: more };
  const [host = '', port = ''] = (spec.hostPort ?? '').split(':');
  return { ...object, apiVersion, spec: { host, port, ...more } };
}

describe('webhooks by a Service (A2, R7)', { timeout: 600_000 }, () => {
  let pki: ServerPki;
  let server: InProcessServer;
  let admin: RemoteClient;
  let raw: RawHttp;
  let hook: Server;
  let caBundle: string;
  const reviews: { readonly desiredAPIVersion: string; readonly objects: readonly JsonObject[] }[] = [];
  /** What the conversion does beside converting. */
  let spoil: (object: JsonObject) => JsonObject = (object) => object;
  let failure: string | undefined;
  const validated: string[] = [];

  const version = (name: string, storage: boolean, properties: JsonObject) => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: { ...properties, replicas: { type: 'integer' } } },
          status: { type: 'object', properties: { replicas: { type: 'integer' } } },
        },
      },
    },
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
    },
  });
  const text = { type: 'string' };

  before(async () => {
    pki = await createTestPki();
    server = new InProcessServer({
      mode: 'federation',
      pki,
      logger: silentLogger,
      serverOptions: { serviceNetworks: ServiceNetworks.parse('127.0.0.1/32') },
    });
    await server.start();
    const connection = adminConnectionTo(pki, server.url);
    admin = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
    raw = new RawHttp(connection);
    const tls = certificateFor(['hooks.default.svc']);
    caBundle = Buffer.from(tls.caPem).toString('base64');
    hook = createServer({ cert: tls.certPem, key: tls.keyPem }, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const review = JSON.parse(body) as JsonObject & { request: never };
      if (request.url?.startsWith('/validate')) {
        const asked = review.request as { uid: string; operation: string; name: string };
        validated.push(`${asked.operation} ${asked.name}`);
        const allowed = asked.name !== 'kept';
        response.end(
          JSON.stringify({
            ...review,
            response: { uid: asked.uid, allowed, ...(allowed ? {} : { status: { message: 'it is kept' } }) },
          }),
        );
        return;
      }
      if (request.url?.startsWith('/mutate')) {
        const { uid } = review.request as { uid: string };
        const patch = [{ op: 'add', path: '/data', value: { by: 'the webhook' } }];
        const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
        response.end(
          JSON.stringify({
            ...review,
            response: { uid, allowed: true, patchType: 'JSONPatch', patch: encoded },
          }),
        );
        return;
      }
      const asked = review.request as { uid: string; desiredAPIVersion: string; objects: JsonObject[] };
      reviews.push(asked);
      const convertedObjects = asked.objects.map((one) => spoil(converted(one, asked.desiredAPIVersion)));
      const result = failure === undefined ? { status: 'Success' } : { status: 'Failed', message: failure };
      response.end(
        JSON.stringify({
          kind: 'ConversionReview',
          apiVersion: 'apiextensions.k8s.io/v1',
          response: { uid: asked.uid, convertedObjects, result },
        }),
      );
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const { port } = hook.address() as AddressInfo;
    await admin.create(
      { cluster: 'root', gvr: { group: '', version: 'v1', resource: 'services' }, namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'hooks' },
        spec: { type: 'ExternalName', externalName: 'localhost' },
      },
    );
    await admin.create(crds, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `lines.${group}` },
      spec: {
        group,
        names: { plural: 'lines', kind: 'Line' },
        scope: 'Namespaced',
        versions: [version('v1', true, { hostPort: text }), version('v2', false, { host: text, port: text })],
        conversion: {
          strategy: 'Webhook',
          webhook: {
            conversionReviewVersions: ['v1'],
            clientConfig: {
              service: { namespace: 'default', name: 'hooks', path: '/convert', port },
              caBundle,
            },
          },
        },
      },
    });
    await until('established', async () => (await admin.list(at('v2'))).items.length === 0);
  });

  after(async () => {
    await disposeAll(
      () => raw?.close(),
      () => admin?.close(),
      () => hook?.closeAllConnections(),
      () => hook?.close(),
      () => server?.dispose(),
    );
  });

  const line = (name: string, apiVersion: string, spec: JsonObject): KubeObject => ({
    apiVersion: `${group}/${apiVersion}`,
    kind: 'Line',
    metadata: { name },
    spec,
  });

  test('what is written in one version is read in the other', async () => {
    const made = await admin.create(at('v2'), line('a', 'v2', { host: 'h', port: '1' }));
    assert.deepEqual(made['spec'], { host: 'h', port: '1' });
    assert.equal(made.apiVersion, `${group}/v2`);
    const old = await admin.get({ ...at('v1'), name: 'a' });
    assert.deepEqual(old['spec'], { hostPort: 'h:1' });
    const patched = await admin.patch(
      { ...at('v2'), name: 'a' },
      { type: 'merge', body: { spec: { port: '2' } } },
    );
    assert.deepEqual(patched['spec'], { host: 'h', port: '2' });
    assert.deepEqual((await admin.get({ ...at('v1'), name: 'a' }))['spec'], { hostPort: 'h:2' });
    const applied = await admin.apply(
      { ...at('v2'), name: 'a' },
      { ...line('a', 'v2', { host: 'i' }) },
      { fieldManager: 'me', force: true },
    );
    assert.deepEqual(applied['spec'], { host: 'i', port: '2' });
    const unchanged = await admin.update({ ...at('v2'), name: 'a' }, applied);
    assert.equal(unchanged.metadata.resourceVersion, applied.metadata.resourceVersion);
  });

  test('a list is one review, and what was converted is kept', async () => {
    for (const name of ['b', 'c', 'd']) {
      await admin.create(at('v1'), line(name, 'v1', { hostPort: `${name}:1` }));
    }
    reviews.length = 0;
    const list = await admin.list(at('v2'));
    assert.deepEqual(
      list.items.map((one) => (one['spec'] as JsonObject)['host']),
      ['i', 'b', 'c', 'd'],
    );
    assert.ok(reviews.length <= 1);
    assert.equal(reviews[0]?.objects.length, 3);
    await admin.list(at('v2'));
    assert.ok(reviews.length <= 1);
    const table = await raw.send({
      path: `/clusters/root/apis/${group}/v2/namespaces/default/lines?includeObject=Object`,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    assert.match(table.text, /"host":"b"/);
  });

  test('a watch tells everything in its version, in order', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of admin.watch(at('v2'), { signal: stop.signal })) {
        if (event.type === 'BOOKMARK') continue;
        seen.push(
          `${event.type} ${event.object.metadata.name} ${(event.object['spec'] as JsonObject)['host']}`,
        );
      }
    })();
    await until('the state has come', () => seen.length === 4);
    await admin.patch({ ...at('v1'), name: 'b' }, { type: 'merge', body: { spec: { hostPort: 'x:9' } } });
    await admin.delete({ ...at('v1'), name: 'c' });
    await until('the events have come', () => seen.length === 6);
    assert.deepEqual(seen.slice(4), ['MODIFIED b x', 'DELETED c c']);
    stop.abort();
    await watching.catch(() => {});
  });

  test('labels may be changed by it, nothing else of metadata; errors are told', async () => {
    spoil = (object) => ({
      ...object,
      metadata: { ...(object['metadata'] as JsonObject), labels: { by: 'hook' }, finalizers: ['x/y'] },
    });
    await admin.create(at('v1'), line('e', 'v1', { hostPort: 'e:1' }));
    const labelled = await admin.get({ ...at('v2'), name: 'e' });
    assert.deepEqual(labelled.metadata.labels, { by: 'hook' });
    assert.equal(labelled.metadata.finalizers, undefined);
    spoil = (object) => ({ ...object, metadata: { ...(object['metadata'] as JsonObject), name: 'other' } });
    await admin.create(at('v1'), line('f', 'v1', { hostPort: 'f:1' }));
    const refused = (message: RegExp) => (error: unknown) =>
      isApiError(error, 'InternalError') && message.test(error.message);
    await assert.rejects(
      admin.get({ ...at('v2'), name: 'f' }),
      refused(/conversion webhook for shapes\.example\.org\/v1, Kind=Line failed: .*metadata\.name/),
    );
    spoil = (object) => object;
    failure = 'not today';
    await assert.rejects(
      admin.create(at('v2'), line('g', 'v2', { host: 'g', port: '1' })),
      refused(/not today/),
    );
    await assert.rejects(admin.list(at('v2')), refused(/not today/));
    // The version that is stored needs nobody.
    assert.ok((await admin.list(at('v1'))).items.length > 3);
    failure = undefined;
  });

  test('P4, P6: managers own fields across versions that a webhook converts', async () => {
    const owned = (object: KubeObject) =>
      Object.fromEntries(
        (object.metadata.managedFields ?? []).map(({ manager = '', apiVersion = '', fieldsV1 }) => [
          `${manager} ${apiVersion.split('/')[1]}`,
          Object.keys((fieldsV1?.['f:spec'] ?? {}) as JsonObject).sort(),
        ]),
      );
    const name = 'shared';
    const applied = (manager: string, apiVersion: string, spec: JsonObject, force = false) =>
      admin.apply({ ...at(apiVersion), name }, line(name, apiVersion, spec), {
        fieldManager: manager,
        force,
      });
    await applied('one', 'v1', { hostPort: 'h:1', replicas: 1 });
    // The same values in the other version: both own them.
    const both = await applied('two', 'v2', { host: 'h', port: '1' });
    assert.deepEqual(owned(both), { 'one v1': ['f:hostPort', 'f:replicas'], 'two v2': ['f:host', 'f:port'] });
    // Another value of what the first owns in its version: a conflict over its field.
    await assert.rejects(
      applied('two', 'v2', { host: 'h', port: '2' }),
      (error) => isApiError(error, 'Conflict') && /conflict with "one": \.spec\.hostPort/.test(error.message),
    );
    const taken = await applied('two', 'v2', { host: 'h', port: '2' }, true);
    assert.deepEqual(owned(taken), { 'one v1': ['f:replicas'], 'two v2': ['f:host', 'f:port'] });
    // A manager that goes on in the other version keeps nothing of what it leaves out.
    const moved = await applied('one', 'v2', { host: 'h' });
    assert.deepEqual(moved['spec'], { host: 'h', port: '2' });
    assert.deepEqual(owned(moved), { 'one v2': ['f:host'], 'two v2': ['f:host', 'f:port'] });
    // An update in the first version takes what it changes there from its owners in the second.
    const update = { type: 'merge', body: { spec: { hostPort: 'h:3' } } } as const;
    const updated = await admin.patch({ ...at('v1'), name }, update, { fieldManager: 'three' });
    assert.deepEqual(owned(updated), {
      'three v1': ['f:hostPort'],
      'one v2': ['f:host'],
      'two v2': ['f:host'],
    });
    failure = 'not today';
    await assert.rejects(
      admin.patch({ ...at('v1'), name }, { type: 'merge', body: { spec: { hostPort: 'i:4' } } }),
      (error) => isApiError(error, 'InternalError') && /not today/.test(error.message),
    );
    failure = undefined;
    await admin.delete({ ...at('v1'), name });
  });

  test('scale and status, in the version that is not stored', async () => {
    await admin.create(at('v2'), line('s', 'v2', { host: 's', port: '1', replicas: 2 }));
    const scale = await raw.send({
      path: `/clusters/root/apis/${group}/v2/namespaces/default/lines/s/scale`,
    });
    assert.equal(textAt(scale.json as JsonObject, 'kind'), 'Scale');
    assert.equal(valueAt(scale.json as JsonObject, 'spec', 'replicas'), 2);
    const patched = await admin.patch(
      { ...at('v2'), name: 's' },
      { type: 'merge', body: { spec: { replicas: 5 } } },
      { subresource: 'scale' },
    );
    assert.equal(valueAt(patched, 'spec', 'replicas'), 5);
    const status = { type: 'merge', body: { status: { replicas: 4 } } } as const;
    const told = await admin.patch({ ...at('v2'), name: 's' }, status, { subresource: 'status' });
    assert.deepEqual(told['spec'], { host: 's', port: '1', replicas: 5 });
    assert.deepEqual(told['status'], { replicas: 4 });
    const stored = await admin.get({ ...at('v1'), name: 's' });
    assert.deepEqual(stored['spec'], { hostPort: 's:1', replicas: 5 });
    assert.deepEqual(stored['status'], { replicas: 4 });
  });

  test('the storage version may change: what is stored is read in either', async () => {
    const crd = await admin.get({ ...crds, name: `lines.${group}` });
    const spec = crd['spec'] as { versions: JsonObject[] };
    for (const one of spec.versions) one['storage'] = one['name'] === 'v2';
    const changed = await admin.update({ ...crds, name: `lines.${group}` }, crd);
    assert.deepEqual((changed['status'] as JsonObject)['storedVersions'], ['v1', 'v2']);
    await until('v2 is stored', async () => {
      reviews.length = 0;
      await admin.update({ ...at('v2'), name: 'b' }, await admin.get({ ...at('v2'), name: 'b' }));
      return true;
    });
    assert.deepEqual((await admin.get({ ...at('v1'), name: 'd' }))['spec'], { hostPort: 'd:1' });
    assert.deepEqual((await admin.get({ ...at('v2'), name: 'd' }))['spec'], { host: 'd', port: '1' });
    await admin.create(at('v1'), line('h', 'v1', { hostPort: 'h:5' }));
    assert.deepEqual((await admin.get({ ...at('v2'), name: 'h' }))['spec'], { host: 'h', port: '5' });
  });

  test('admission is asked by the same rule', async () => {
    const { port } = hook.address() as AddressInfo;
    await admin.create(configurations, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'hooks' },
      webhooks: [
        {
          name: 'hooks.example.org',
          clientConfig: { service: { namespace: 'default', name: 'hooks', path: '/mutate', port }, caBundle },
          rules: [
            { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
          ],
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          timeoutSeconds: 30,
        },
      ],
    });
    const made = await admin.create(
      { cluster: 'root', gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default' },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mutated' } },
    );
    assert.deepEqual(made['data'], { by: 'the webhook' });
  });

  test('A2: of a collection that is deleted each object is asked for', async () => {
    const { port } = hook.address() as AddressInfo;
    const configMaps = {
      cluster: 'root',
      gvr: { group: '', version: 'v1', resource: 'configmaps' },
      namespace: 'kept',
    };
    await admin.create(
      { cluster: 'root', gvr: { group: '', version: 'v1', resource: 'namespaces' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kept' } },
    );
    for (const name of ['free', 'kept']) {
      await admin.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, labels: { collection: 'kept' } },
      });
    }
    await admin.create(
      { ...configurations, gvr: { ...configurations.gvr, resource: 'validatingwebhookconfigurations' } },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: 'keepers' },
        webhooks: [
          {
            name: 'keepers.example.org',
            clientConfig: {
              service: { namespace: 'default', name: 'hooks', path: '/validate', port },
              caBundle,
            },
            rules: [
              { operations: ['DELETE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
            ],
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            timeoutSeconds: 30,
          },
        ],
      },
    );
    await assert.rejects(
      admin.deleteCollection(configMaps, { labelSelector: 'collection=kept' }),
      (error) => isApiError(error) && /keepers\.example\.org.*it is kept/.test(error.message),
    );
    assert.ok(validated.includes('DELETE kept'), validated.join());
    const { items } = await admin.list(configMaps, { labelSelector: 'collection=kept' });
    assert.ok(items.some(({ metadata }) => metadata.name === 'kept'));
    await admin.deleteCollection(configMaps, {
      labelSelector: 'collection=kept',
      fieldSelector: 'metadata.name=free',
    });
    const left = await admin.list(configMaps, { labelSelector: 'collection=kept' });
    assert.deepEqual(
      left.items.map(({ metadata }) => metadata.name),
      ['kept'],
    );
  });
});
