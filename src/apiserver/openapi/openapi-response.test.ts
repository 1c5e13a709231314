import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { extendScheme } from '#apimachinery/scheme-build.ts';
import { openApiResponse } from './openapi-response.ts';
import { prepareOpenApi } from './prepare.ts';
import {
  builtin,
  custom,
  type Document,
  document,
  schema,
  scheme,
  served,
} from './testing/served-documents.ts';

test('D4: the index names every group version with the hash of its document, below the base path', () => {
  const { paths } = document('/openapi/v3');
  for (const path of ['api/v1', 'apis/apps/v1', 'apis/stable.example.com/v1']) {
    const url = new URL(paths[path].serverRelativeURL, 'http://x');
    assert.equal(url.pathname, `/openapi/v3/${path}`);
    const response = served(`/openapi/v3/${path}`, undefined, url.searchParams.get('hash') ?? '');
    assert.equal(response.headers['ETag'], `"${url.searchParams.get('hash')}"`);
  }
  const below = JSON.parse(
    served('/openapi/v3', undefined, undefined, undefined, '/clusters/root:a').body.toString(),
  );
  assert.match(
    below.paths['api/v1'].serverRelativeURL,
    /^\/clusters\/root:a\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{128}$/,
  );
});

test('D4: right hash is cached for a year, wrong one redirects, none is served plainly, ETag gives 304', () => {
  const path = '/openapi/v3/apis/apps/v1';
  const plain = served(path);
  assert.equal(plain.status, 200);
  assert.equal(plain.headers['Cache-Control'], undefined);
  const hash = (plain.headers['ETag'] ?? '').replaceAll('"', '');
  const right = served(path, undefined, hash);
  assert.equal(right.headers['Cache-Control'], 'public, immutable');
  const days = (Date.parse(right.headers['Expires'] ?? '') - Date.now()) / 86_400_000;
  assert.ok(days > 364 && days < 366);
  const wrong = served(path, undefined, 'WRONG', undefined, '/clusters/a');
  assert.equal(wrong.status, 301);
  assert.equal(wrong.headers['Location'], `/clusters/a${path}?hash=${hash}`);
  assert.equal(served(path, undefined, undefined, plain.headers['ETag']).status, 304);
  const index = served('/openapi/v3');
  assert.equal(served('/openapi/v3', undefined, undefined, index.headers['ETag']).status, 304);
});

test('what is not served is not found; what is not acceptable is 406', () => {
  for (const path of [
    '/openapi',
    '/openapi/v1',
    '/openapi/v3/apis/none/v1',
    '/openapi/v3/apis/apps',
    '/openapi/v3/api/v2',
    '/openapi/v3/x/y/z',
  ])
    assert.equal(openApiResponse(scheme, path, new URLSearchParams(), {}), undefined, path);
  for (const path of ['/openapi/v2', '/openapi/v3', '/openapi/v3/api/v1'])
    assert.throws(
      () => served(path, 'text/html'),
      (error) => isApiError(error, 'NotAcceptable'),
      path,
    );
});

test('D5: operations of a built-in kind', () => {
  const { paths } = document('/openapi/v3/apis/apps/v1');
  const item = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
  assert.deepEqual(Object.keys(item).sort(), ['delete', 'get', 'parameters', 'patch', 'put']);
  assert.deepEqual(item.patch['x-kubernetes-group-version-kind'], {
    group: 'apps',
    kind: 'Deployment',
    version: 'v1',
  });
  assert.equal(item.patch['x-kubernetes-action'], 'patch');
  assert.equal(item.patch.operationId, 'patchAppsV1NamespacedDeployment');
  assert.deepEqual(Object.keys(item.patch.requestBody.content), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ]);
  assert.deepEqual(
    item.patch.parameters.map((one: { name: string }) => one.name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  const scale = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'];
  assert.deepEqual(scale.get['x-kubernetes-group-version-kind'], {
    group: 'autoscaling',
    kind: 'Scale',
    version: 'v1',
  });
  const list = paths['/apis/apps/v1/deployments'].get;
  assert.equal(list.operationId, 'listAppsV1DeploymentForAllNamespaces');
  assert.equal(list['x-kubernetes-action'], 'list');
});

test('D5: schemas of built-in kinds carry patch and list extensions, also beside references', () => {
  const { schemas } = document('/openapi/v3/apis/apps/v1').components;
  assert.deepEqual(schemas['io.k8s.api.apps.v1.DeploymentSpec'].properties.strategy, {
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy' }],
    description: 'How old pods give way to new ones.',
    'x-kubernetes-patch-strategy': 'retainKeys',
  });
  const { ports, imagePullPolicy } = schemas['io.k8s.api.core.v1.Container'].properties;
  assert.deepEqual(imagePullPolicy.enum, ['Always', 'IfNotPresent', 'Never']);
  assert.equal(schemas['io.k8s.api.core.v1.ContainerPort'].properties.protocol.default, 'TCP');
  const { accessModes } = schemas['io.k8s.api.core.v1.PersistentVolumeClaimSpec'].properties;
  assert.ok(accessModes.items.enum.includes('ReadWriteOncePod'));
  const { allocatedResourceStatuses } = schemas['io.k8s.api.core.v1.PersistentVolumeClaimStatus'].properties;
  assert.ok(allocatedResourceStatuses.additionalProperties.enum.includes('NodeResizePending'));
  // Versions before v1 say the same, all but two fields.
  const beta = document('/openapi/v3/apis/admissionregistration.k8s.io/v1beta1').components.schemas;
  const { reinvocationPolicy, failurePolicy } =
    beta['io.k8s.api.admissionregistration.v1beta1.MutatingAdmissionPolicySpec'].properties;
  assert.deepEqual(reinvocationPolicy.enum, ['IfNeeded', 'Never']);
  assert.equal(failurePolicy.enum, undefined);
  assert.equal(ports['x-kubernetes-patch-merge-key'], 'containerPort');
  assert.deepEqual(ports['x-kubernetes-list-map-keys'], ['containerPort', 'protocol']);
  assert.deepEqual(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString'], {
    description: 'A whole number, or a text: a name, or a percentage.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  });
  assert.deepEqual(schemas['io.k8s.api.apps.v1.DeploymentList']['x-kubernetes-group-version-kind'], [
    { group: 'apps', kind: 'DeploymentList', version: 'v1' },
  ]);
  assert.deepEqual(
    schemas['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions']['x-kubernetes-group-version-kind'],
    [
      { group: '', kind: 'DeleteOptions', version: 'v1' },
      { group: 'apps', kind: 'DeleteOptions', version: 'v1' },
    ],
  );
});

test('D5: a custom kind: no strategic merge, schema in place, list and metadata made up', () => {
  const { paths, components } = document('/openapi/v3/apis/stable.example.com/v1');
  const patch = paths['/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}'].patch;
  assert.ok(!Object.keys(patch.requestBody.content).includes('application/strategic-merge-patch+json'));
  const kind = components.schemas['com.example.stable.v1.CronTab'];
  assert.deepEqual(kind['x-kubernetes-group-version-kind'], [
    { group: 'stable.example.com', kind: 'CronTab', version: 'v1' },
  ]);
  assert.deepEqual(kind.properties.metadata, {
    allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }],
    description: 'Name, labels and the like.',
  });
  assert.deepEqual(kind.properties.spec, {
    type: 'object',
    required: ['size'],
    properties: {
      size: { description: 'how big', type: 'integer', minimum: 1, maximum: 10 },
      port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      choice: { type: 'string', nullable: true, default: 'x', enum: ['x', 'y'] },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      constructor: { type: 'string' },
    },
  });
  assert.equal(
    components.schemas['com.example.stable.v1.CronTabList'].properties.items.items.$ref,
    '#/components/schemas/com.example.stable.v1.CronTab',
  );
});

const customOf = (more: Partial<Schema>, fields: { readonly [name: string]: Schema }) => {
  const definition = custom('Gadget', {
    type: 'object',
    ...more,
    properties: new Map(Object.entries(fields)),
  });
  const [version] = definition.versions;
  assert.ok(version);
  const selectableFields = new Map([['spec.mode', 'spec.mode']]);
  const shown = { ...definition, versions: [{ ...version, selectableFields }] };
  const own = extendScheme(builtin, [shown]);
  return (path: string) =>
    JSON.parse(openApiResponse(own, path, new URLSearchParams(), {})?.body.toString() ?? '{}');
};

// Source: apiextensions-apiserver, pkg/controller/openapi/builder and v2/conversion.go.
test('D5: what Kubernetes tells of a custom kind besides: prose, selectable fields, embedded objects, its own operations', () => {
  const ofGadgets = customOf(
    {},
    {
      when: { type: 'string', prose: { title: 'When', example: 'now', externalDocs: { url: 'x' } } },
      port: { intOrString: true, validation: { anyOf: [{ validation: { minimum: 1 } }] } },
      inner: { type: 'object', embeddedResource: true, required: ['apiVersion'] },
    },
  );
  assert.ok(ofGadgets('/openapi/v2').definitions['com.example.stable.v1.Gadget'].properties.when.example);
  const { info, components, paths } = ofGadgets('/openapi/v3/apis/stable.example.com/v1');
  assert.deepEqual(info, { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' });
  assert.deepEqual(Object.keys(components), ['schemas']);
  const gadget = components.schemas['com.example.stable.v1.Gadget'];
  assert.deepEqual(gadget['x-kubernetes-selectable-fields'], [{ fieldPath: 'spec.mode' }]);
  assert.deepEqual(gadget.properties.when, {
    ...{ title: 'When', example: 'now', externalDocs: { url: 'x' } },
    type: 'string',
  });
  assert.deepEqual(gadget.properties.port.allOf, [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }]);
  assert.deepEqual(gadget.properties.inner.required, ['apiVersion', 'kind']);
  assert.deepEqual(Object.keys(gadget.properties.inner.properties), ['apiVersion', 'kind', 'metadata']);
  assert.equal(components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent'], undefined);
  assert.equal(paths['/apis/stable.example.com/v1/'], undefined);
  const objects = '/apis/stable.example.com/v1/namespaces/{namespace}/gadgets';
  const { post, delete: collection, get } = paths[objects];
  assert.deepEqual(Object.keys(post.requestBody.content), ['application/json', 'application/yaml']);
  assert.equal(collection.requestBody, undefined);
  assert.ok(collection.parameters.some(({ name }: { name: string }) => name === 'watch'));
  assert.deepEqual(Object.keys(get.responses[200].content), ['application/json', 'application/yaml']);
  assert.deepEqual(Object.keys(paths[`${objects}/{name}`].patch.responses), ['200', '401']);
  assert.equal(paths[`${objects}/{name}/scale`].get['x-kubernetes-group-version-kind'].kind, 'Gadget');
});

test('D6: what old kubectl would refuse is left open in Swagger', () => {
  const nullable: Schema = { type: 'string', nullable: true };
  const ofGadgets = customOf(
    { required: ['maybe', 'sure'] },
    {
      maybe: nullable,
      sure: { type: 'object', required: ['a'], nullable: true, properties: new Map([['a', nullable]]) },
      free: { type: 'object', required: ['b'], preserveUnknownFields: true },
      list: { type: 'array', preserveUnknownFields: true, items: nullable },
      map: { type: 'object', required: ['c'], additionalProperties: nullable },
    },
  );
  const { definitions } = ofGadgets('/openapi/v2');
  const { properties, required } = definitions['com.example.stable.v1.Gadget'];
  assert.equal(required, undefined);
  assert.deepEqual(properties.sure, { required: ['a'] });
  assert.deepEqual(properties.free, { required: ['b'], 'x-kubernetes-preserve-unknown-fields': true });
  assert.deepEqual(properties.list, { 'x-kubernetes-preserve-unknown-fields': true });
  assert.deepEqual(properties.map, { type: 'object', additionalProperties: {} });
  const open = customOf({ preserveUnknownFields: true }, {})('/openapi/v2').definitions;
  assert.deepEqual(Object.keys(open['com.example.stable.v1.Gadget']).sort(), [
    'type',
    'x-kubernetes-group-version-kind',
    'x-kubernetes-selectable-fields',
  ]);
  for (const name of ['DeleteOptions', 'WatchEvent']) {
    const kinds: { group: string }[] =
      open[`io.k8s.apimachinery.pkg.apis.meta.v1.${name}`]['x-kubernetes-group-version-kind'];
    assert.ok(!kinds.some(({ group }) => group === 'stable.example.com'));
  }
});

test('D5, D6: a group of reviews alone has schemas of reviews alone; defaults are told in OpenAPI 3 alone', () => {
  const { components } = document('/openapi/v3/apis/authorization.k8s.io/v1');
  const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
  for (const name of ['DeleteOptions', 'ListMeta', 'Patch', 'Status', 'WatchEvent'])
    assert.equal(components.schemas[`${meta}.${name}`], undefined, name);
  const port = 'io.k8s.api.core.v1.ContainerPort';
  assert.equal(document('/openapi/v3/api/v1').components.schemas[port].properties.protocol.default, 'TCP');
  const swagger = document('/openapi/v2');
  assert.equal(swagger.definitions[port].properties.protocol.default, undefined);
  const types = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
  assert.deepEqual(swagger.paths['/apis/apps/v1/'].get.consumes, types);
  assert.deepEqual(swagger.paths['/apis/apps/v1/'].get.produces, types);
});

/** Every `$ref` in a document. */
function* refsIn(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref' && typeof value === 'string') yield value;
    else yield* refsIn(value);
  }
}

test('every reference of every document resolves, every definition of v2 is in some v3 document', () => {
  const swagger = document('/openapi/v2');
  for (const ref of refsIn(swagger)) {
    assert.ok(Object.hasOwn(swagger.definitions, ref.slice('#/definitions/'.length)), ref);
  }
  const all = new Set<string>();
  for (const path of Object.keys(document('/openapi/v3').paths)) {
    const { components, paths } = document(`/openapi/v3/${path}`);
    for (const ref of refsIn({ components, paths })) {
      assert.ok(
        Object.hasOwn(components.schemas, ref.slice('#/components/schemas/'.length)),
        `${path}: ${ref}`,
      );
    }
    for (const name of Object.keys(components.schemas)) all.add(name);
  }
  assert.deepEqual(Object.keys(swagger.definitions), [...all].sort());
});

test('D6: Swagger: operations, siblings of references, one definition for all group versions', () => {
  const swagger = document('/openapi/v2');
  assert.equal(swagger.swagger, '2.0');
  const patch = swagger.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'].patch;
  assert.ok(patch.consumes.includes('application/strategic-merge-patch+json'));
  assert.ok(patch.parameters.some((one: { name: string }) => one.name === 'fieldValidation'));
  assert.deepEqual(swagger.definitions['io.k8s.api.apps.v1.DeploymentSpec'].properties.strategy, {
    $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentStrategy',
    description: 'How old pods give way to new ones.',
    'x-kubernetes-patch-strategy': 'retainKeys',
  });
  const options = swagger.definitions['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'];
  assert.ok(options['x-kubernetes-group-version-kind'].length > 30);
  // As Kubernetes publishes custom resources there: null and preserved fields must not be refused.
  const { choice } = swagger.definitions['com.example.stable.v1.CronTab'].properties.spec.properties;
  assert.deepEqual(choice, { enum: ['x', 'y'] });
  const first = served('/openapi/v2');
  assert.equal(first.headers['Vary'], 'Accept-Encoding, Accept');
  assert.equal(served('/openapi/v2', undefined, undefined, first.headers['ETag']).status, 304);
});

test('D9: a further CRD changes its own group version and the index, nothing else', async () => {
  const larger = extendScheme(builtin, [custom('CronTab', schema), custom('Other', { type: 'object' })]);
  await prepareOpenApi(larger, new AbortController().signal);
  const get = (path: string) => openApiResponse(larger, path, new URLSearchParams(), {});
  assert.notEqual(
    get('/openapi/v3/apis/stable.example.com/v1')?.headers['ETag'],
    served('/openapi/v3/apis/stable.example.com/v1').headers['ETag'],
  );
  assert.notEqual(get('/openapi/v3')?.headers['ETag'], served('/openapi/v3').headers['ETag']);
  assert.equal(get('/openapi/v3/apis/apps/v1')?.body, served('/openapi/v3/apis/apps/v1').body, 'shared');
  const schemas = (JSON.parse(String(get('/openapi/v3/apis/stable.example.com/v1')?.body)) as Document)
    .components.schemas as JsonObject;
  assert.ok(schemas['com.example.stable.v1.Other'] !== undefined);
});

test('D5, W7: legacy watch paths of built-in kinds are listed, deprecated; those of custom kinds are not', () => {
  const { paths } = document('/openapi/v3/api/v1');
  const one = paths['/api/v1/watch/namespaces/{namespace}/configmaps/{name}'].get;
  assert.equal(one.operationId, 'watchCoreV1NamespacedConfigMap');
  assert.equal(one['x-kubernetes-action'], 'watch');
  const reference = '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent';
  for (const type of ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch']) {
    assert.equal(one.responses['200'].content[type].schema.$ref, reference);
  }
  const actions = Object.entries(paths as Document)
    .filter(([path]) => path.startsWith('/api/v1/watch/'))
    .map(([path, item]) => [path, (item as Document).get['x-kubernetes-action']]);
  assert.ok(actions.length > 30);
  for (const [path, action] of actions) {
    assert.equal(action, path.endsWith('{name}') ? 'watch' : 'watchlist', path);
  }
  assert.equal(paths['/api/v1/watch/nodes'].get.operationId, 'watchCoreV1NodeList');
  assert.equal(paths['/api/v1/watch/pods'].get.operationId, 'watchCoreV1PodListForAllNamespaces');
  const custom = document('/openapi/v3/apis/stable.example.com/v1').paths;
  assert.deepEqual(
    Object.keys(custom).filter((path) => path.includes('/watch/')),
    [],
  );
  const both = document('/openapi/v2').paths;
  assert.ok('/api/v1/watch/pods' in both);
  assert.deepEqual(
    both['/api/v1/watch/pods'].get.produces.includes('application/vnd.kubernetes.protobuf'),
    true,
  );
});
