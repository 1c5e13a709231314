// Audit (KUBERNETES.md O3, A3): a policy by level, a log file and a webhook, annotations of authorization and admission.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { certificateFor } from './extension/extension-server.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { patient } from './harness/patient.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from './harness/processes.ts';
import { until } from './harness/until.ts';

const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, nonResourceURLs: ['/*']}
- {level: Metadata, resources: [{group: '', resources: [secrets, serviceaccounts/token, pods]}]}
- {level: RequestResponse, omitManagedFields: true, verbs: [create, update], resources: [{group: '', resources: [configmaps]}]}
- {level: None}
`;
const core = (resource: string) => ({
  cluster: 'root',
  gvr: { group: '', version: 'v1', resource },
  namespace: 'default',
});
const admission = (resource: string) => ({
  cluster: 'root',
  gvr: { group: 'admissionregistration.k8s.io', version: 'v1', resource },
});

const labelPatch = [{ op: 'add', path: '/metadata/labels', value: { by: 'hook' } }];

describe('audit (O3)', { timeout: 600_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: CellplaneProcess;
  let admin: RemoteClient;
  let sink: Server;
  let failures = 1;
  const told: JsonObject[] = [];
  let log: string;
  let caPem: string;
  const logged = async () =>
    (await readFile(log, 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JsonObject);

  before(async () => {
    folder = await temporaryFolder();
    const file = (name: string) => path.join(folder.path, name);
    log = file('audit.log');
    const tls = certificateFor(['127.0.0.1']);
    caPem = tls.caPem;
    sink = createServer({ cert: tls.certPem, key: tls.keyPem }, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      if (request.url?.startsWith('/label') === true) {
        const { uid } = (JSON.parse(body) as { request: JsonObject }).request;
        const patch = Buffer.from(JSON.stringify(labelPatch)).toString('base64');
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            response: { uid, allowed: true, patchType: 'JSONPatch', patch },
          }),
        );
        return;
      }
      if (failures > 0) {
        failures--;
        response.writeHead(503).end();
        return;
      }
      const list = JSON.parse(body) as JsonObject;
      assert.equal(list['kind'], 'EventList');
      told.push(...objectsAt(list, 'items'));
      response.end();
    });
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    const { port } = sink.address() as AddressInfo;
    await writeFile(file('policy.yaml'), policy);
    const connection = {
      server: `https://127.0.0.1:${port}/events`,
      caPem: tls.caPem,
      certificatePem: tls.certPem,
      keyPem: tls.keyPem,
    };
    await writeFile(file('webhook.kubeconfig'), renderKubeconfig([{ name: 'x', connection }], 'x'));
    server = await startCellplane([
      ...['apiserver', '--data-dir', file('data'), '--port', '0'],
      ...['--audit-policy-file', file('policy.yaml'), '--audit-log-path', log],
      ...['--audit-webhook-config-file', file('webhook.kubeconfig')],
    ]);
    admin = new RemoteClient(await adminConnection(file('data')), {
      userAgent: 'cellplane-test/1',
      limits: patient,
    });
  });
  after(async () => {
    await disposeAll(
      () => admin?.close(),
      () => server?.stop(),
      () => sink?.closeAllConnections(),
      () => sink?.close(),
      folder,
    );
  });

  test('each request is told at its level, in the file and to the webhook', async () => {
    await admin.create(core('secrets'), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hidden' },
      data: { text: 'aGlkZGVu' },
    });
    await admin.create(core('configmaps'), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'shown' },
      data: { a: 'b' },
    });
    const find = (all: readonly JsonObject[], name: string) =>
      all.find((one) => textAt(one, 'objectRef', 'name') === name);
    const [secret, map] = await until('both are logged', async () => {
      const all = await logged();
      const both = [find(all, 'hidden'), find(all, 'shown')] as const;
      return both.every((one) => one !== undefined) ? both : undefined;
    });
    assert.equal(secret?.['level'], 'Metadata');
    assert.equal(textAt(secret, 'objectRef', 'name'), 'hidden');
    assert.equal(textAt(secret, 'user', 'username'), 'cellplane-admin');
    assert.ok(!JSON.stringify(secret).includes('aGlkZGVu'));
    assert.equal(valueAt(secret, 'annotations', 'authorization.k8s.io/decision'), 'allow');
    assert.equal(textAt(map, 'requestObject', 'data', 'a'), 'b');
    assert.equal(textAt(map, 'responseObject', 'data', 'a'), 'b');
    assert.equal(valueAt(map, 'responseObject', 'metadata', 'managedFields'), undefined);
    assert.equal(valueAt(map, 'responseStatus', 'code'), 201);
    const [toldSecret, toldMap] = await until('the webhook has them, after a failure', () => {
      const both = [find(told, 'hidden'), find(told, 'shown')] as const;
      return both.every((one) => one !== undefined) ? both : undefined;
    });
    assert.deepEqual(
      [toldSecret?.['auditID'], toldMap?.['auditID']],
      [secret?.['auditID'], map?.['auditID']],
    );
  });

  test('a token that was issued is told by its id, what an unrestricted pod is held to by its level', async () => {
    const path = '/clusters/root/api/v1/namespaces/default/serviceaccounts/default/token';
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const answer = await admin.raw({ cluster: undefined, method: 'POST', path, body });
    assert.ok(isJsonObject(answer));
    const token = textAt(answer, 'status', 'token');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject;
    await admin.create(core('pods'), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    const [issued, pod] = await until('both are logged', async () => {
      const all = await logged();
      const both = [
        all.find((one) => textAt(one, 'objectRef', 'subresource') === 'token'),
        all.find((one) => textAt(one, 'objectRef', 'resource') === 'pods'),
      ] as const;
      return both.every((one) => one !== undefined) ? both : undefined;
    });
    const credential = valueAt(issued, 'annotations', 'authentication.kubernetes.io/issued-credential-id');
    assert.equal(credential, `JTI=${claims['jti']}`);
    assert.ok(!JSON.stringify(issued).includes(token));
    assert.equal(
      valueAt(pod, 'annotations', 'pod-security.kubernetes.io/enforce-policy'),
      'privileged:latest',
    );
  });

  test('a policy’s action Audit and its annotations stand in the event', async () => {
    await admin.create(admission('validatingadmissionpolicies'), {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'short' },
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
          ],
        },
        validations: [{ expression: 'object.metadata.name.size() < 4', message: 'too long' }],
        auditAnnotations: [{ key: 'length', valueExpression: 'string(object.metadata.name.size())' }],
      },
    });
    await admin.create(admission('validatingadmissionpolicybindings'), {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'short-everywhere' },
      spec: { policyName: 'short', validationActions: ['Audit'] },
    });
    const generateName = 'much-too-long-';
    const event = await until('the policy has acted', async () => {
      await admin.create(core('configmaps'), {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { generateName },
      });
      // Those that the server makes itself are asked too.
      return (await logged()).find(
        (one) =>
          valueAt(one, 'annotations', 'short/length') !== undefined &&
          textAt(one, 'requestObject', 'metadata', 'generateName') === generateName,
      );
    });
    assert.equal(valueAt(event, 'annotations', 'short/length'), '19');
    const failure = valueAt(event, 'annotations', 'validation.policy.admission.k8s.io/validation_failure');
    assert.deepEqual(JSON.parse(String(failure)), [
      {
        message: 'too long',
        policy: 'short',
        binding: 'short-everywhere',
        expressionIndex: 0,
        validationActions: ['Audit'],
      },
    ]);
    assert.equal(valueAt(event, 'responseStatus', 'code'), 201);
  });

  test('what a mutating webhook changed stands in the event, the patch only where bodies do', async () => {
    const { port } = sink.address() as AddressInfo;
    const rules = [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps', 'secrets'] },
    ];
    await admin.create(admission('mutatingwebhookconfigurations'), {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'labels' },
      webhooks: [
        {
          name: 'label.example.com',
          clientConfig: {
            url: `https://127.0.0.1:${port}/label`,
            caBundle: Buffer.from(caPem).toString('base64'),
          },
          rules,
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          timeoutSeconds: 30,
        },
      ],
    });
    for (const [resource, kind] of [
      ['secrets', 'Secret'],
      ['configmaps', 'ConfigMap'],
    ] as const) {
      const made = await admin.create(core(resource), {
        apiVersion: 'v1',
        kind,
        metadata: { name: 'labelled' },
      });
      assert.equal(made.metadata.labels?.['by'], 'hook');
      const event = await until(`${resource} is logged`, async () =>
        (await logged()).find(
          (one) =>
            textAt(one, 'objectRef', 'name') === 'labelled' &&
            textAt(one, 'objectRef', 'resource') === resource,
        ),
      );
      const names = { configuration: 'labels', webhook: 'label.example.com' };
      const annotation = (prefix: string) => {
        const value = valueAt(event, 'annotations', `${prefix}.webhook.admission.k8s.io/round_0_index_0`);
        return value === undefined ? undefined : JSON.parse(String(value));
      };
      assert.deepEqual(annotation('mutation'), { ...names, mutated: true });
      const patch = { ...names, patch: labelPatch, patchType: 'JSONPatch' };
      assert.deepEqual(annotation('patch'), resource === 'secrets' ? undefined : patch);
    }
  });

  test('what waits is told when the server stops', async () => {
    await admin.create(core('configmaps'), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'last' },
    });
    await server.stop();
    assert.ok(told.some((one) => textAt(one, 'objectRef', 'name') === 'last'));
  });
});
