import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type TestServer, widget } from './testing/test-server.ts';
import { type Execute, listOf, single, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('addresses of workspaces (KCP.md)', () => {
  let touched: string[] = [];
  let server: TestServer;
  let execute: Execute = single;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request), {
      touch: (workspace) => {
        touched.push(workspace.path);
        return workspace.path === 'root:acme' ? Promise.resolve() : undefined;
      },
    });
  });
  after(() => server.stop());

  it('addresses of workspaces (KCP.md, Addressing)', async () => {
    const codes: [string, number][] = [
      [`/clusters/root:acme:shop${widgetPath}`, 200],
      [`/clusters/rootacmeshop${widgetPath}`, 200],
      [`/clusters/root:absent${widgetPath}`, 404],
      [`/clusters/BAD%20ref${widgetPath}`, 400],
      [`/clusters/${widgetPath}`, 400],
      ['/clusters/root:acme/livez', 200],
      ['/clusters/root:acme/metrics', 501],
      ['/clusters/root:absent/livez', 404],
    ];
    execute = single;
    for (const [path, code] of codes) assert.equal((await server.get(path)).code, code, path);
  });

  it('wildcard: list and watch only; custom resources by metadata only (KCP.md, Wildcard)', async () => {
    execute = listOf([widget('a')]);
    assert.equal((await server.get('/clusters/*/apis/example.org/v1/widgets')).code, 200);
    assert.equal((await server.get(`/clusters/*${widgetPath}`)).code, 405);
    assert.equal(
      (await server.call('DELETE', '/clusters/*/apis/example.org/v1/widgets', undefined)).code,
      405,
    );
    const path = '/clusters/*/apis/custom.example.org/v1/customs';
    assert.equal((await server.get(path)).code, 400);
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    assert.equal((await server.get(path, { accept })).code, 200);
  });

  it('first touch comes before the verb, for resources alone', async () => {
    execute = (context) => {
      touched.push(`verb ${context.workspace?.path}`);
      return { type: 'status', code: 200, body: {} };
    };
    touched = [];
    await server.get(`/clusters/root:acme${widgetPath}`);
    await server.get(`/clusters/root:acme:shop${widgetPath}`);
    await server.get('/clusters/root:acme/api');
    await server.get(`/clusters/root:acme${widgetPath}`, {}, { token: 'jane-token' });
    assert.deepEqual(touched, ['root:acme', 'verb root:acme', 'root:acme:shop', 'verb root:acme:shop']);
  });
});
