import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseRequestInfo, queryBoolean } from './parse-request-info.ts';

/** method, url → verb, group/version, namespace, resource, name, subresource */
type Row = [string, string, string, string, string, string, string, string];

// Rows after Kubernetes' own table of RequestInfo, one for each rule.
const resourceRows: Row[] = [
  ['GET', '/api/v1/namespaces', 'list', '/v1', '', 'namespaces', '', ''],
  ['GET', '/api/v1/namespaces/other', 'get', '/v1', '', 'namespaces', 'other', ''],
  ['PUT', '/api/v1/namespaces/other/finalize', 'update', '/v1', '', 'namespaces', 'other', 'finalize'],
  ['PATCH', '/api/v1/namespaces/other/status', 'patch', '/v1', '', 'namespaces', 'other', 'status'],
  ['GET', '/api/v1/namespaces/other/status/x', 'get', '/v1', 'other', 'status', 'x', ''],
  ['GET', '/api/v1/namespaces/other/pods', 'list', '/v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/other/pods/foo', 'get', '/v1', 'other', 'pods', 'foo', ''],
  ['HEAD', '/api/v1/namespaces/other/pods/foo', 'get', '/v1', 'other', 'pods', 'foo', ''],
  ['GET', '/api/v1/pods', 'list', '/v1', '', 'pods', '', ''],
  // HTTP/2 carries any method.
  ['constructor', '/api/v1/pods', '', '/v1', '', 'pods', '', ''],
  ['HEAD', '/api/v1/pods', 'list', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods/', 'list', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/watch/pods', 'watch', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=true', 'watch', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch', 'watch', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?w%61tch=1', 'watch', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=false', 'list', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=0', 'list', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?labelSelector=watch%3Dtrue', 'list', '/v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods/foo?watch=true', 'get', '/v1', '', 'pods', 'foo', ''],
  ['GET', '/api/v1/watch/namespaces/other/pods', 'watch', '/v1', 'other', 'pods', '', ''],
  ['POST', '/api/v1/namespaces/other/pods', 'create', '/v1', 'other', 'pods', '', ''],
  [
    'POST',
    '/api/v1/namespaces/o/serviceaccounts/x/token',
    'create',
    '/v1',
    'o',
    'serviceaccounts',
    'x',
    'token',
  ],
  ['DELETE', '/api/v1/namespaces/other/pods/foo', 'delete', '/v1', 'other', 'pods', 'foo', ''],
  ['DELETE', '/api/v1/namespaces/other/pods', 'deletecollection', '/v1', 'other', 'pods', '', ''],
  ['DELETE', '/api/v1/namespaces', 'deletecollection', '/v1', '', 'namespaces', '', ''],
  ['GET', '/api/v1/namespaces/o/services/s/proxy/a/b', 'get', '/v1', 'o', 'services', 's', 'proxy/a/b'],
  ['GET', '/apis/apps/v1/deployments', 'list', 'apps/v1', '', 'deployments', '', ''],
  [
    'PUT',
    '/apis/apps/v1/namespaces/o/deployments/d/scale',
    'update',
    'apps/v1',
    'o',
    'deployments',
    'd',
    'scale',
  ],
  ['GET', '/apis/g.io/v1/namespaces/x', 'get', 'g.io/v1', '', 'namespaces', 'x', ''],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
    'get',
    'rbac.authorization.k8s.io/v1',
    '',
    'clusterroles',
    'system:node',
    '',
  ],
  ['OPTIONS', '/api/v1/pods', '', '/v1', '', 'pods', '', ''],
  ['GET', 'https://host:6443/api/v1/pods', 'list', '/v1', '', 'pods', '', ''],
];

describe('parseRequestInfo: resources', () => {
  for (const [method, url, verb, groupVersion, namespace, resource, name, subresource] of resourceRows) {
    it(`${method} ${url}`, () => {
      const info = parseRequestInfo(method, url);
      assert.ok(info.resource);
      assert.equal(info.verb, verb);
      const { group, version } = info.resource;
      assert.equal(`${group}/${version}`, groupVersion);
      assert.deepEqual(
        [info.resource.namespace, info.resource.resource, info.resource.name, info.resource.subresource],
        [namespace, resource, name, subresource],
      );
      assert.equal(info.clusterRef, 'root');
    });
  }

  it('W7: a legacy watch on one object selects it by name', () => {
    const path = '/api/v1/watch/namespaces/n/pods/p';
    const info = parseRequestInfo('GET', path);
    assert.equal(info.query.get('fieldSelector'), 'metadata.name=p');
    assert.equal(info.query.get('watch'), 'true');
    assert.equal(info.resource?.name, '');
    assert.equal(info.resource?.watched, 'p');
  });

  it('W7: a field selector beside it must name the same object (apiserver endpoints/handlers ListResource)', () => {
    const asked = (selector: string) =>
      parseRequestInfo(
        'GET',
        `/api/v1/watch/namespaces/n/pods/p?fieldSelector=${encodeURIComponent(selector)}`,
      );
    for (const selector of ['metadata.name=p', 'spec.nodeName=x,metadata.name==p']) {
      assert.equal(asked(selector).query.get('fieldSelector'), selector);
    }
    for (const selector of ['metadata.name=q', 'metadata.name!=p', 'spec.nodeName=x', 'metadata.name=']) {
      assert.throws(() => asked(selector), /fieldSelector metadata\.name doesn't match requested name/);
    }
  });

  it('W7: any other method on such a path is still a watch', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD']) {
      assert.equal(parseRequestInfo(method, '/api/v1/watch/namespaces/n/pods').verb, 'watch');
    }
  });
});

describe('parseRequestInfo: paths that name no resource', () => {
  const rows = [
    ['/', 'get'],
    ['/api', 'get'],
    ['/api/v1', 'get'],
    ['/api/v1/', 'get'],
    ['/apis', 'get'],
    ['/apis/apps', 'get'],
    ['/apis/apps/v1', 'get'],
    ['/api//pods', 'get'],
    ['/apis//v1/pods', 'get'],
    ['/api/v1/watch', 'get'],
    ['/api/v1/namespaces//pods', 'get'],
    ['/api/v1/pods//log', 'get'],
    ['/healthz', 'get'],
    ['/apisfoo/v1/pods', 'get'],
    ['//api/v1/pods', 'get'],
  ] as const;
  for (const [url, verb] of rows) {
    it(url, () => {
      const info = parseRequestInfo('GET', url);
      assert.equal(info.resource, undefined);
      assert.equal(info.verb, verb);
    });
  }
});

describe('parseRequestInfo: workspaces (KCP.md, Addressing)', () => {
  const rows: [string, string, string][] = [
    ['/clusters/root:acme:shop/api/v1/pods', 'root:acme:shop', '/api/v1/pods'],
    ['/clusters/root%3Aacme/api/v1/pods', 'root:acme', '/api/v1/pods'],
    ['/clusters/*/api/v1/pods', '*', '/api/v1/pods'],
    ['/clusters/a', 'a', '/'],
    ['/clusters/a/', 'a', '/'],
    ['/clusters//api/v1/pods', '', '/api/v1/pods'],
    ['/clusters/a/clusters/b/api/v1/pods', 'a', '/clusters/b/api/v1/pods'],
    ['/clusters', 'root', '/clusters'],
  ];
  for (const [url, ref, path] of rows) {
    it(url, () => {
      const info = parseRequestInfo('GET', url);
      assert.equal(info.clusterRef, ref);
      assert.equal(info.path, path);
      assert.equal(info.hasClusterPrefix, url !== '/clusters');
    });
  }
  it('a workspace inside a workspace is no resource', () => {
    assert.equal(parseRequestInfo('GET', '/clusters/a/clusters/b/api/v1/pods').resource, undefined);
  });
});

describe('parseRequestInfo: bad input', () => {
  for (const url of [
    '/api/v1/%',
    '/api/v1/pods/%zz',
    '/api/v1/%ff',
    '/clusters/%E0%A4%A/api',
    '/a%00b',
    '/a%0ab',
    'x',
  ]) {
    it(`${url} → 400`, () => {
      assert.throws(
        () => parseRequestInfo('GET', url),
        (error: unknown) => isApiError(error, 'BadRequest'),
      );
    });
  }

  it('never fails otherwise, and names never hold a slash', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'api',
        'apis',
        'v1',
        'namespaces',
        'watch',
        'clusters',
        '',
        '..',
        'status',
        '%2F',
        '%',
        '?',
        '*',
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 10 }),
        fc.constantFrom('GET', 'PUT', 'DELETE', 'X'),
        (parts, method) => {
          try {
            const info = parseRequestInfo(method, `/${parts.join('/')}`);
            assert.ok(!info.clusterRef.includes('/'));
            assert.ok(info.path.startsWith('/'));
            const { resource } = info;
            if (resource === undefined) return;
            assert.ok(resource.resource !== '' && resource.version !== '');
            for (const part of [
              resource.group,
              resource.version,
              resource.resource,
              resource.namespace,
              resource.name,
            ]) {
              assert.ok(!part.includes('/'));
            }
            assert.ok(resource.subresource === '' || resource.name !== '');
          } catch (error) {
            if (!isApiError(error, 'BadRequest')) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('parseRequestInfo: collections that are posted to again', () => {
  it('each request has its own reference, resource and query alike', () => {
    const url = '/apis/apps/v1/namespaces/n/deployments?dryRun=All&fieldManager=a%20b';
    const first = parseRequestInfo('POST', url);
    first.clusterRef = 'elsewhere';
    const second = parseRequestInfo('POST', url);
    assert.equal(second.clusterRef, 'root');
    assert.deepEqual(second.resource, first.resource);
    assert.equal(second.query.get('fieldManager'), 'a b');
    assert.equal(parseRequestInfo('GET', url).verb, 'list');
    assert.equal(parseRequestInfo('POST', `/clusters/root:a${url}`).clusterRef, 'root:a');
  });

  it('what was refused is refused again, and many collections are told apart', () => {
    for (let i = 0; i < 2; i++) {
      assert.throws(
        () => parseRequestInfo('POST', '/api/v1/%'),
        (error: unknown) => isApiError(error, 'BadRequest'),
      );
    }
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_500; i++) {
        assert.equal(parseRequestInfo('POST', `/api/v1/namespaces/n${i}/pods`).resource?.namespace, `n${i}`);
      }
    }
  });
});

describe('queryBoolean', () => {
  for (const [value, expected] of [
    [null, false],
    ['', true],
    ['true', true],
    ['1', true],
    ['FALSE', false],
    ['0', false],
  ] as const) {
    it(String(value), () => assert.equal(queryBoolean(value), expected));
  }
});
