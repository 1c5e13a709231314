import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { UserInfo } from '../request/user.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { ClaimResize } from './claim-resize.ts';
import { DefaultClass } from './default-class.ts';
import { PodServiceAccount } from './pod-service-account.ts';
import { Priority } from './priority.ts';
import { SigningRequestSubject } from './signing-request-subject.ts';

const base = '/api/v1/namespaces/default';
const accounts = `${base}/serviceaccounts`;
const classesUrl = '/apis/scheduling.k8s.io/v1/priorityclasses';
const storageUrl = '/apis/storage.k8s.io/v1/storageclasses';

function open(): Promise<Harness> {
  return Harness.open({
    plugins: (storage) => [
      new SigningRequestSubject(),
      new PodServiceAccount(storage),
      new Priority(storage),
      DefaultClass.storage(storage),
      new ClaimResize(storage),
      DefaultClass.ingress(storage),
    ],
    workspaces: [
      { id: 'cell' as never, inert: true, type: 'cell' },
      { id: 'project' as never, type: 'project' },
    ],
  });
}

async function openWithAccount(): Promise<Harness> {
  const harness = await open();
  for (const prefix of ['', '/clusters/project'])
    await harness.post(`${prefix}${accounts}`, account('default'));
  return harness;
}

function account(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name }, ...more };
}

function pod(spec: JsonObject = {}, name = 'p'): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
}

function priorityClass(name: string, value: number, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, ...more };
}

function storageClass(name: string, more: JsonObject = {}, annotations: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, annotations },
    provisioner: 'example.com/p',
    ...more,
  };
}

function claim(spec: JsonObject = {}, name = 'c'): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  };
}

const isDefault = { 'storageclass.kubernetes.io/is-default-class': 'true' };

test('who asks for a certificate comes from the request, never from the claim (O5)', async () => {
  await using harness = await open();
  const request = Buffer.from(
    '-----BEGIN CERTIFICATE REQUEST-----\nMIHJMHECAQAwDzENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\nA0IABA==\n-----END CERTIFICATE REQUEST-----\n',
  ).toString('base64');
  const url = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const user: UserInfo = {
    name: 'jane',
    uid: 'u1',
    groups: ['dev', 'system:authenticated'],
    extra: new Map([['example.com/a', ['b']]]),
  };
  const body = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'jane' },
    spec: {
      request,
      signerName: 'example.com/s',
      usages: ['client auth'],
      username: 'root',
      uid: 'x',
      groups: ['system:masters'],
      extra: { evil: ['1'] },
    },
  };
  const { object } = await harness.send('POST', url, { body, user }).catch((error: Error) => {
    // Whatever is said of the made-up request itself, nothing is said of who asks.
    assert.match(error.message, /spec\.request/);
    return { object: undefined };
  });
  const plugin = new SigningRequestSubject();
  const context = harness.context('POST', url, { user });
  const given: KubeObject = structuredClone(body);
  plugin.mutate({ context, operation: 'CREATE', object: given, oldObject: undefined, dryRun: false });
  for (const one of object === undefined ? [given] : [given, object]) {
    assert.equal(textAt(one, 'spec', 'username'), 'jane');
    assert.equal(textAt(one, 'spec', 'uid'), 'u1');
    assert.deepEqual(valueAt(one, 'spec', 'groups'), ['dev', 'system:authenticated']);
    assert.deepEqual(valueAt(one, 'spec', 'extra'), { 'example.com/a': ['b'] });
  }
});

test('a pod runs as the account it names, else as default, and gets its token and pull secrets (A4)', async () => {
  await using harness = await open();
  await harness.post(accounts, account('default', { imagePullSecrets: [{ name: 'registry' }] }));
  await harness.post(accounts, account('mute', { automountServiceAccountToken: false }));
  const { object } = await harness.post(`${base}/pods`, pod());
  assert.equal(textAt(object, 'spec', 'serviceAccountName'), 'default');
  assert.equal(textAt(object, 'spec', 'serviceAccount'), 'default');
  assert.deepEqual(valueAt(object, 'spec', 'imagePullSecrets'), [{ name: 'registry' }]);
  const [volume] = objectsAt(object, 'spec', 'volumes');
  assert.match(textAt(volume, 'name'), /^kube-api-access-[a-z0-9]{5}$/);
  const [container] = objectsAt(object, 'spec', 'containers');
  assert.deepEqual(objectsAt(container, 'volumeMounts'), [
    {
      name: textAt(volume, 'name'),
      readOnly: true,
      mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    },
  ]);
  const mute = await harness.post(`${base}/pods`, pod({ serviceAccountName: 'mute' }, 'm'));
  assert.deepEqual(objectsAt(mute.object, 'spec', 'volumes'), []);
  await assert.rejects(
    harness.post(`${base}/pods`, pod({ serviceAccountName: 'nobody' }, 'n')),
    apiError(
      'Forbidden',
      'pods "n" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    ),
  );
  const inert = await harness.post(`/clusters/cell${base}/pods`, pod());
  assert.equal(textAt(inert.object, 'spec', 'serviceAccountName'), '');
});

test('a pod waits for an account that a controller is about to make (S4)', async () => {
  await using harness = await open();
  const posted = harness.post(`${base}/pods`, pod());
  await harness.post(accounts, account('default'));
  assert.equal(textAt((await posted).object, 'spec', 'serviceAccountName'), 'default');
});

test('priority comes from the class that a pod names or from the default one (A4)', async () => {
  await using harness = await openWithAccount();
  const priorityOf = async (spec: JsonObject, name: string) => {
    const { object } = await harness.post(`${base}/pods`, pod(spec, name));
    return [
      valueAt(object, 'spec', 'priorityClassName'),
      valueAt(object, 'spec', 'priority'),
      valueAt(object, 'spec', 'preemptionPolicy'),
    ];
  };
  assert.deepEqual(await priorityOf({}, 'a'), [undefined, 0, 'PreemptLowerPriority']);
  await harness.post(classesUrl, priorityClass('high', 1000, { preemptionPolicy: 'Never' }));
  await harness.post(classesUrl, priorityClass('usual', 10, { globalDefault: true }));
  assert.deepEqual(await priorityOf({}, 'b'), ['usual', 10, 'PreemptLowerPriority']);
  assert.deepEqual(await priorityOf({ priorityClassName: 'high' }, 'c'), ['high', 1000, 'Never']);
  assert.deepEqual(await priorityOf({ priorityClassName: 'system-node-critical' }, 'd'), [
    'system-node-critical',
    2_000_001_000,
    'PreemptLowerPriority',
  ]);
  await assert.rejects(
    priorityOf({ priorityClassName: 'none' }, 'e'),
    apiError('Forbidden', 'pods "e" is forbidden: no PriorityClass with name none was found'),
  );
  await assert.rejects(
    priorityOf({ priority: 7 }, 'f'),
    apiError('Forbidden', /priority \(7\) must not be provided/),
  );
  await assert.rejects(
    harness.post(classesUrl, priorityClass('other', 1, { globalDefault: true })),
    apiError(
      'Forbidden',
      'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
    ),
  );
  await assert.rejects(harness.post(classesUrl, priorityClass('system-x', 1)), apiError('Invalid'));
  await assert.rejects(harness.post(classesUrl, priorityClass('huge', 1_000_000_001)), apiError('Invalid'));
});

test('in a project an unknown PriorityClass is the cells’ to resolve, and the writer is told', async () => {
  await using harness = await openWithAccount();
  const url = `/clusters/project${base}/pods`;
  const { object, warnings } = await harness.post(url, pod({ priorityClassName: 'platform' }));
  assert.equal(valueAt(object, 'spec', 'priority'), undefined);
  assert.deepEqual(warnings, [
    'no PriorityClass with name platform was found in this project: each cell resolves it',
  ]);
});

test('a claim without a class gets the newest default one, an explicit empty class stays (A4)', async () => {
  await using harness = await open();
  const classOf = async (spec: JsonObject, name: string) =>
    valueAt(
      (await harness.post(`${base}/persistentvolumeclaims`, claim(spec, name))).object,
      'spec',
      'storageClassName',
    );
  assert.equal(await classOf({}, 'none'), undefined);
  await harness.post(storageUrl, storageClass('b', {}, isDefault));
  await harness.post(storageUrl, storageClass('a', {}, isDefault));
  await harness.post(storageUrl, storageClass('plain'));
  assert.equal(await classOf({}, 'equal'), 'a');
  harness.clock.advance(2_000);
  await harness.post(storageUrl, storageClass('z', {}, isDefault));
  assert.equal(await classOf({}, 'newest'), 'z');
  assert.equal(await classOf({ storageClassName: '' }, 'static'), '');
  assert.equal(await classOf({ storageClassName: 'plain' }, 'named'), 'plain');
});

test('an ingress without a class gets the default one, unless the annotation names it (A4)', async () => {
  await using harness = await open();
  await harness.post('/apis/networking.k8s.io/v1/ingressclasses', {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'nginx', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'example.com/nginx' },
  });
  const post = async (name: string, annotations: JsonObject = {}) => {
    const { object } = await harness.post('/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, annotations },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    });
    return valueAt(object, 'spec', 'ingressClassName');
  };
  assert.equal(await post('i'), 'nginx');
  assert.equal(await post('j', { 'kubernetes.io/ingress.class': 'own' }), undefined);
});

test('a claim grows only when bound and its class allows it (A4)', async () => {
  await using harness = await open();
  await harness.post(storageUrl, storageClass('fixed'));
  await harness.post(storageUrl, storageClass('elastic', { allowVolumeExpansion: true }));
  const url = `${base}/persistentvolumeclaims`;
  const grow = (name: string, prefix = '') =>
    harness.patch(`${prefix}${url}/${name}`, 'merge', {
      spec: { resources: { requests: { storage: '2Gi' } } },
    });
  const bind = (name: string, prefix = '') =>
    harness.patch(`${prefix}${url}/${name}/status`, 'merge', { status: { phase: 'Bound' } });
  const spec = (storageClassName: string) => ({ storageClassName, volumeName: 'v' });
  for (const name of ['fixed', 'elastic']) await harness.post(url, claim(spec(name), name));
  await assert.rejects(grow('elastic'), apiError('Invalid', /for bound claims/));
  for (const name of ['fixed', 'elastic']) await bind(name);
  await assert.rejects(grow('fixed'), apiError('Forbidden', /must support resize/));
  const { object } = await grow('elastic');
  assert.equal(valueAt(object, 'spec', 'resources', 'requests', 'storage'), '2Gi');
  await harness.post(`/clusters/project${url}`, claim(spec('cells-own'), 'p'));
  await bind('p', '/clusters/project');
  assert.equal((await grow('p', '/clusters/project')).code, 200);
});
