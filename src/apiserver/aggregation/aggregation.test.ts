import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { createCertificate } from '../pki/certificate.ts';
import { frontProxyAuthority } from '../pki/front-proxy.ts';
import type { CertificateAuthority } from '../pki/pki.ts';
import {
  forwardedHeaders,
  identityHeaders,
  proxiedRequestHeaders,
  proxiedResponseHeaders,
} from './identity-headers.ts';
import { mergedAggregated, mergedGroupList, type RemoteGroupVersion } from './merged-discovery.ts';
import { mergedSwagger } from './merged-openapi.ts';
import { ProxyCertificates, proxyUserName } from './proxy-certificates.ts';

function authority(): CertificateAuthority {
  const name = { commonName: 'test-ca' };
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const notAfter = new Date(Date.now() + 86_400_000);
  const certificatePem = createCertificate({
    subject: name,
    subjectKey: key,
    issuer: name,
    issuerKey: key,
    notBefore: new Date(),
    notAfter,
    isCertificateAuthority: true,
  });
  return { name, key, keyPem: '', certificatePem, notAfter };
}

describe('the aggregator’s certificates (O1)', () => {
  it('have one authority for all servers with one CA, which is not that CA', () => {
    const ca = authority();
    const [a, b] = [frontProxyAuthority(ca), frontProxyAuthority(ca)];
    const key = (one: CertificateAuthority) => new X509Certificate(one.certificatePem).publicKey;
    assert.ok(key(a).equals(key(b)));
    assert.ok(!key(a).equals(key(ca)));
    assert.ok(!key(a).equals(key(frontProxyAuthority(authority()))));
  });

  it('are each workspace’s own', () => {
    const certificates = new ProxyCertificates(authority());
    const one = new X509Certificate(certificates.of('abc').certificatePem);
    assert.equal(one.subject, `CN=${proxyUserName('abc')}`);
    assert.ok(one.verify(new X509Certificate(certificates.authorityPem).publicKey));
    assert.equal(certificates.of('abc'), certificates.of('abc'));
    assert.notEqual(certificates.of('abc').certificatePem, certificates.of('abd').certificatePem);
  });
});

describe('headers that are passed on (O1)', () => {
  const user = {
    name: 'jäne',
    uid: 'u1',
    groups: ['a', 'b'],
    extra: new Map([['example.org/Key', ['x', 'y']]]),
  };

  it('say who asks, in Kubernetes’ escaping', () => {
    assert.deepEqual(identityHeaders(user), {
      'X-Remote-User': 'j\u00c3\u00a4ne',
      'X-Remote-Uid': 'u1',
      'X-Remote-Group': ['a', 'b'],
      'X-Remote-Extra-example.org%2FKey': ['x', 'y'],
    });
    assert.throws(
      () => identityHeaders({ ...user, name: 'a\r\nX-Remote-Group: system:masters' }),
      (error) => isApiError(error, 'BadRequest'),
    );
  });

  it('hold nothing of the client’s identity or connection', () => {
    const passed = proxiedRequestHeaders(
      {
        ':path': '/x',
        host: 'h',
        authorization: 'Bearer t',
        'proxy-authorization': 'Basic x',
        connection: 'keep-alive, X-Private',
        'x-private': '1',
        'x-remote-user': 'root',
        'x-remote-extra-a': 'b',
        'impersonate-user': 'root',
        'transfer-encoding': 'chunked',
        'sec-websocket-protocol': 'base64url.bearer.authorization.k8s.io.dA, v5.channel.k8s.io',
        accept: 'a/b',
        'x-forwarded-for': '192.0.2.1',
      },
      { ...user, uid: undefined, groups: [], extra: new Map() },
      '192.0.2.2',
    );
    assert.deepEqual(passed, {
      accept: 'a/b',
      'sec-websocket-protocol': 'v5.channel.k8s.io',
      'x-forwarded-for': '192.0.2.1, 192.0.2.2',
      'X-Remote-User': 'j\u00c3\u00a4ne',
    });
    const back = proxiedResponseHeaders({
      ...{ connection: 'close', 'keep-alive': '5', etag: '"x"' },
      ...{ 'access-control-allow-origin': '*', 'access-control-expose-headers': 'etag' },
    });
    assert.deepEqual(back, { etag: '"x"', 'access-control-expose-headers': 'etag' });
  });

  it('tell what is asked, whatever the client says of it', () => {
    const claimed = { 'x-forwarded-host': 'elsewhere', 'x-forwarded-proto': 'http', 'x-forwarded-uri': '/' };
    const passed = proxiedRequestHeaders(claimed, { ...user, groups: [], extra: new Map() }, undefined);
    Object.assign(passed, forwardedHeaders('web.default.svc:443', '/apis/a/v1'));
    assert.equal(passed['x-forwarded-host'], 'web.default.svc:443');
    assert.equal(passed['x-forwarded-proto'], 'https');
    assert.equal(passed['x-forwarded-uri'], '/apis/a/v1');
  });
});

const remote = (changed: Partial<RemoteGroupVersion>): RemoteGroupVersion => ({
  group: 'metrics.k8s.io',
  version: 'v1',
  groupPriority: 2000,
  versionPriority: 100,
  available: true,
  resources: undefined,
  ...changed,
});

describe('merged discovery (O1)', () => {
  const local = {
    groups: [
      { name: 'apps', versions: [{ groupVersion: 'apps/v1', version: 'v1' }] },
      { name: 'crd.example.org', versions: [{ groupVersion: 'crd.example.org/v1', version: 'v1' }] },
    ],
  };

  it('puts groups and versions by their priorities', () => {
    const merged = mergedGroupList(local, [
      remote({}),
      remote({ version: 'v2', versionPriority: 200 }),
      remote({ group: 'first.example.org', groupPriority: 20_000 }),
      remote({ group: 'crd.example.org', version: 'v1beta1', versionPriority: 100, groupPriority: 10 }),
      remote({ group: 'last.example.org', groupPriority: 10 }),
    ]) as { groups: { name: string; versions: { version: string }[]; preferredVersion: JsonObject }[] };
    assert.deepEqual(
      merged.groups.map(({ name, versions }) => [name, ...versions.map(({ version }) => version)]),
      [
        ['first.example.org', 'v1'],
        ['apps', 'v1'],
        ['metrics.k8s.io', 'v2', 'v1'],
        ['crd.example.org', 'v1', 'v1beta1'],
        ['last.example.org', 'v1'],
      ],
    );
    assert.deepEqual(merged.groups[2]?.preferredVersion, {
      groupVersion: 'metrics.k8s.io/v2',
      version: 'v2',
    });
  });

  it('turns resource lists into aggregated entries', () => {
    const resources = {
      resources: [
        { name: 'pods', singularName: 'pod', namespaced: true, kind: 'PodMetrics', verbs: ['get'] },
        { name: 'pods/scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get'] },
        { name: 'nodes/proxy', kind: 'NodeProxy', verbs: ['get'] },
      ],
    };
    const { items } = mergedAggregated({ items: [] }, [remote({ resources, available: false })]) as {
      items: JsonObject[];
    };
    assert.deepEqual(items, [
      {
        metadata: { name: 'metrics.k8s.io' },
        versions: [
          {
            version: 'v1',
            freshness: 'Stale',
            resources: [
              {
                resource: 'pods',
                responseKind: { group: 'metrics.k8s.io', version: 'v1', kind: 'PodMetrics' },
                scope: 'Namespaced',
                singularResource: 'pod',
                verbs: ['get'],
                subresources: [
                  {
                    subresource: 'scale',
                    responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
                    verbs: ['get'],
                  },
                ],
              },
              {
                resource: 'nodes',
                responseKind: { group: 'metrics.k8s.io', version: 'v1', kind: '' },
                scope: 'Cluster',
                singularResource: '',
                verbs: [],
                subresources: [
                  {
                    subresource: 'proxy',
                    responseKind: { group: 'metrics.k8s.io', version: 'v1', kind: 'NodeProxy' },
                    verbs: ['get'],
                  },
                ],
              },
            ],
          },
        ],
      },
    ]);
  });
});

describe('merged OpenAPI (O1)', () => {
  it('takes the group version’s paths and what they use, under free names', () => {
    const local = {
      swagger: '2.0',
      paths: { '/a': {} },
      definitions: { Meta: { type: 'object' }, Same: { type: 'string' } },
    };
    const document = {
      paths: {
        '/apis/g/v1/things': { schema: { $ref: '#/definitions/Thing' } },
        '/apis/g/v2/things': { schema: { $ref: '#/definitions/Unused' } },
      },
      definitions: {
        Thing: {
          properties: {
            meta: { $ref: '#/definitions/Meta' },
            same: { $ref: '#/definitions/Same' },
            children: { items: { $ref: '#/definitions/Thing' } },
          },
        },
        Meta: { type: 'integer' },
        Same: { type: 'string' },
        Unused: {},
      },
    };
    assert.deepEqual(mergedSwagger(local, [{ group: 'g', version: 'v1', document }]), {
      swagger: '2.0',
      paths: { '/a': {}, '/apis/g/v1/things': { schema: { $ref: '#/definitions/Thing' } } },
      definitions: {
        Meta: { type: 'object' },
        Same: { type: 'string' },
        Meta_v2: { type: 'integer' },
        Thing: {
          properties: {
            meta: { $ref: '#/definitions/Meta_v2' },
            same: { $ref: '#/definitions/Same' },
            children: { items: { $ref: '#/definitions/Thing' } },
          },
        },
      },
    });
  });
});
