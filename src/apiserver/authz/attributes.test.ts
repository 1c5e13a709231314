import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import { attributesOf, forbiddenError } from './attributes.ts';
import { user } from './testing/authz-fixtures.ts';
import { shop } from './testing/authz-world.ts';

describe('messages (E4)', () => {
  const jane = user('jane');
  const rows: [string, string, string][] = [
    [
      'GET',
      '/api/v1/namespaces/n/pods/p',
      'pods "p" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "n"',
    ],
    [
      'GET',
      '/apis/apps/v1/deployments',
      'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" at the cluster scope',
    ],
    [
      'PUT',
      '/apis/apps/v1/namespaces/n/deployments/d/scale',
      'deployments.apps "d" is forbidden: User "jane" cannot update resource "deployments/scale" in API group "apps" in the namespace "n"',
    ],
    [
      'GET',
      '/api/v1/nodes/x/proxy/a/b',
      'nodes "x" is forbidden: User "jane" cannot get resource "nodes/proxy" in API group "" at the cluster scope',
    ],
    ['GET', '/metrics', 'forbidden: User "jane" cannot get path "/metrics"'],
  ];
  for (const [method, url, message] of rows) {
    it(`${method} ${url}`, () => {
      const attributes = attributesOf(parseRequestInfo(method, url), jane, shop);
      const error = forbiddenError(attributes, '');
      assert.equal(error.message, message);
      assert.equal(error.code, 403);
    });
  }

  it('a list that selects one name is a question about that name', () => {
    const info = parseRequestInfo(
      'GET',
      '/api/v1/namespaces/n/secrets?watch=1&fieldSelector=metadata.name%3Da,x%3D%3Db,c!%3Dd',
    );
    const attributes = attributesOf(info, jane, shop);
    assert.equal(attributes.resource?.name, 'a');
    assert.deepEqual(
      [...attributes.fieldRequirements!],
      [
        ['metadata.name', 'a'],
        ['x', 'b'],
      ],
    );
    assert.equal(info.resource?.name, '');
    // As in kube-apiserver, resourceNames never grant the deletion of a collection.
    const deletion = parseRequestInfo(
      'DELETE',
      '/api/v1/namespaces/n/secrets?fieldSelector=metadata.name%3Da',
    );
    assert.equal(attributesOf(deletion, jane, shop).resource?.name, '');
  });
});
