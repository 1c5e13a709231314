// Lines of KUBERNETES.md about CustomResourceDefinitions, each as a client sees it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type Contract,
  type ContractServer,
  type Json,
  startContractServer,
} from './contract/contract-server.ts';
import { at, configMap, maps, meta } from './contract/objects.ts';
import { until } from './harness/until.ts';

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

function definition(plural: string, kind: string, schema: Json): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.contract.example.com` },
    spec: {
      group: 'contract.example.com',
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: schema,
                status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              },
            },
          },
        },
      ],
    },
  };
}

describe('the contract of CustomResourceDefinitions', { timeout: 600_000 }, () => {
  let server: ContractServer;
  let admin: Contract;

  before(async () => {
    server = await startContractServer();
    admin = server.admin;
  });
  after(() => server?.[Symbol.asyncDispose]());

  const condition = (crd: Json, type: string): Json | undefined =>
    (at(crd, 'status', 'conditions') as Json[] | undefined)?.find((one) => one['type'] === type);

  async function established(crd: Json): Promise<void> {
    const made = await admin.post(crds, crd);
    assert.equal(made.status, 201, made.text);
    const name = String(meta(crd)['name']);
    await admin.eventually(
      `${crds}/${name}`,
      'is established',
      (now) => condition(now, 'Established')?.['status'] === 'True',
    );
  }

  test('D9: a CRD shows in discovery and OpenAPI, and goes from them', async () => {
    await established(
      definition('boats', 'Boat', { type: 'object', properties: { sails: { type: 'integer' } } }),
    );
    await until('in discovery', async () =>
      (await admin.get('/apis/contract.example.com/v1')).text.includes('"Boat"'),
    );
    await until('in OpenAPI', async () =>
      (await admin.get('/openapi/v3/apis/contract.example.com/v1')).text.includes('sails'),
    );
    await admin.delete(`${crds}/boats.contract.example.com`);
    await until('gone', async () => (await admin.get('/apis/contract.example.com/v1')).status === 404);
  });

  test('R1, R2: names that another CRD holds are refused in conditions, and free again', async () => {
    await established(definition('ships', 'Ship', { type: 'object' }));
    const wanted = definition('vessels', 'Ship', { type: 'object' });
    const spec = wanted['spec'] as Json;
    const names = { ...(spec['names'] as Json), singular: 'vessel', listKind: 'VesselList' };
    const rival = { ...wanted, spec: { ...spec, names } };
    assert.equal((await admin.post(crds, rival)).status, 201);
    const refused = await admin.eventually(`${crds}/vessels.contract.example.com`, 'has names told', (now) =>
      condition(now, 'NamesAccepted'),
    );
    const told = condition(refused, 'NamesAccepted');
    assert.deepEqual([told?.['status'], told?.['reason']], ['False', 'KindConflict'], JSON.stringify(told));
    assert.equal(condition(refused, 'Established')?.['status'], 'False');
    await admin.delete(`${crds}/ships.contract.example.com`);
    await admin.eventually(
      `${crds}/vessels.contract.example.com`,
      'is established',
      (now) => condition(now, 'Established')?.['status'] === 'True',
    );
    const bad = await admin.post(crds, {
      ...definition('crews', 'Crew', { type: 'object' }),
      metadata: { name: 'crew.contract.example.com' },
    });
    assert.equal(bad.status, 422);
    assert.match(String(bad.json?.['message']), /must be spec.names.plural\+"."\+spec.group/);
    const unstructured = await admin.post(
      crds,
      definition('loose', 'Loose', { properties: { a: { type: 'string' } } }),
    );
    assert.equal(unstructured.status, 422, unstructured.text);
  });

  test('X4: custom resources own and are owned; an owner in another namespace is none', async () => {
    await established(
      definition('buoys', 'Buoy', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
    );
    const apiVersion = 'contract.example.com/v1';
    const buoys = `/apis/${apiVersion}/namespaces/default/buoys`;
    const make = async (path: string, object: Json) => {
      const { status, text, json } = await admin.post(path, object);
      assert.equal(status, 201, text);
      return String(meta(json)['uid']);
    };
    const buoy = (name: string, ...ownerReferences: Json[]): Json => ({
      ...{ apiVersion, kind: 'Buoy', metadata: { name, ownerReferences } },
    });
    const ownedBy = (kind: string, name: string, uid: string): Json => ({
      ...{ apiVersion: kind === 'Buoy' ? apiVersion : 'v1', kind, name, uid },
    });
    const gone = (path: string) =>
      until(`${path} is gone`, async () => (await admin.get(path)).status === 404);
    const root = await make(maps, configMap('x4-root'));
    const middle = await make(buoys, buoy('x4-middle', ownedBy('ConfigMap', 'x4-root', root)));
    await make(maps, {
      ...configMap('x4-leaf'),
      metadata: { name: 'x4-leaf', ownerReferences: [ownedBy('Buoy', 'x4-middle', middle)] },
    });
    await make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x4-other' } });
    await make(
      buoys.replace('/default/', '/x4-other/'),
      buoy('x4-astray', ownedBy('Buoy', 'x4-middle', middle)),
    );
    await gone(buoys.replace('/default/', '/x4-other/').concat('/x4-astray'));
    assert.equal((await admin.get(`${buoys}/x4-middle`)).status, 200);
    assert.equal((await admin.delete(`${maps}/x4-root`)).status, 200);
    await gone(`${buoys}/x4-middle`);
    await gone(`${maps}/x4-leaf`);
    await admin.delete('/api/v1/namespaces/x4-other');
  });

  test('R2: instances go before their definition does, and a protected group needs approval', async () => {
    await established(
      definition('rafts', 'Raft', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
    );
    const rafts = '/apis/contract.example.com/v1/namespaces/default/rafts';
    const raft = {
      apiVersion: 'contract.example.com/v1',
      kind: 'Raft',
      metadata: { name: 'r', finalizers: ['example.com/hold'] },
    };
    assert.equal((await admin.post(rafts, raft)).status, 201);
    const going = await admin.delete(`${crds}/rafts.contract.example.com`);
    assert.deepEqual(meta(going.json)['finalizers'], ['customresourcecleanup.apiextensions.k8s.io']);
    assert.equal(meta(going.json)['generation'], 1);
    assert.equal(meta(going.json)['deletionGracePeriodSeconds'], undefined);
    assert.equal(condition(going.json as Json, 'Terminating')?.['reason'], 'InstanceDeletionPending');
    await until('nothing is created any more', async () => {
      const { status, text } = await admin.post(rafts, { ...raft, metadata: { name: 'late' } });
      return status === 403 && /create not allowed while custom resource definition is termin/.test(text);
    });
    const again = await admin.post(crds, definition('rafts', 'Raft', { type: 'object' }));
    assert.equal(again.status, 409);
    assert.match(String(again.json?.['message']), /^object is being deleted: customresourcedefinitions\./);
    await admin.eventually(
      `${crds}/rafts.contract.example.com`,
      'is terminating',
      (now) => condition(now, 'Terminating')?.['status'] === 'True',
    );
    await admin.eventually(`${rafts}/r`, 'is going', (now) => meta(now)['deletionTimestamp']);
    await admin.patch(`${rafts}/r`, { metadata: { finalizers: null } });
    await until(
      'the CRD is gone',
      async () => (await admin.get(`${crds}/rafts.contract.example.com`)).status === 404,
    );
    const guarded: Json = {
      ...definition('guards', 'Guard', { type: 'object' }),
      metadata: { name: 'guards.contract.k8s.io' },
    };
    const answer = await admin.post(crds, {
      ...guarded,
      spec: { ...(guarded['spec'] as Json), group: 'contract.k8s.io' },
    });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /api-approved.kubernetes.io/);
  });

  test('R4: rules are checked when they are written and when they are used', async () => {
    const rules = (rule: string, more: Json = {}): Json => ({
      type: 'object',
      properties: {
        min: { type: 'integer' },
        max: { type: 'integer' },
        list: { type: 'array', items: { type: 'string' } },
      },
      'x-kubernetes-validations': [{ rule, ...more }],
    });
    const refused = async (plural: string, schema: Json, why: RegExp) => {
      const { status, text } = await admin.post(crds, definition(plural, 'Rule', schema));
      assert.equal(status, 422, text);
      assert.match(text, why);
    };
    await refused('rules', rules('self.min <'), /Syntax error/);
    await refused('rules', rules('self.absent == 1'), /undefined field 'absent'/);
    await refused('rules', rules('self.min + 1'), /must evaluate to a bool/);
    await refused(
      'rules',
      rules('self.list.all(a, self.list.all(b, self.list.all(c, a + b + c != "")))'),
      /estimated rule cost exceeds budget/,
    );
    await refused(
      'rules',
      // As Kubernetes has it: nothing bounds the text that a number becomes.
      rules('self.min < 1', { messageExpression: '"min is " + string(self.min)' }),
      /estimated messageExpression cost exceeds budget/,
    );
    await established(
      definition(
        'ranges',
        'Range',
        rules('self.min <= self.max', {
          messageExpression: 'self.min > 8 ? "min is far above max" : "min is above max"',
          reason: 'FieldValueForbidden',
          fieldPath: '.min',
        }),
      ),
    );
    const ranges = '/apis/contract.example.com/v1/namespaces/default/ranges';
    const range = (name: string, min: number): Json => ({
      apiVersion: 'contract.example.com/v1',
      kind: 'Range',
      metadata: { name },
      spec: { min, max: 5 },
    });
    assert.equal((await admin.post(ranges, range('good', 1))).status, 201);
    const bad = await admin.post(ranges, range('bad', 9));
    assert.equal(bad.status, 422);
    const [cause] = at(bad.json, 'details', 'causes') as Json[];
    assert.deepEqual([cause?.['reason'], cause?.['field']], ['FieldValueForbidden', 'spec.min']);
    assert.match(String(cause?.['message']), /min is far above max/);
  });
});
