// The administrator of one project asks for everything of another, of the platform and of all workspaces, as herself, as
// others, by tokens, headers and odd paths (docs/workspaces.md, Rights). Nothing is told.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { until } from './harness/until.ts';
import {
  type Actor,
  attackerPath,
  gvrs,
  makeAdmin,
  marker,
  victimNamespace,
  victimPath,
} from './isolation/cast.ts';
import { everyVerb, preciousPaths, servedPaths } from './isolation/every-path.ts';
import { cells, inside, refusals, refused, Scene } from './isolation/scene.ts';

describe('isolation of requests', { timeout: 600_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.set();
  });
  after(() => scene?.[Symbol.asyncDispose]());

  describe('every verb on every path', () => {
    test('of another project, by path and by id', async () => {
      const before = await scene.victimState();
      const paths = await servedPaths(scene.admin.raw, victimPath);
      assert.ok(paths.length > 200, `${paths.length} paths`);
      await refused(scene.mallory.raw, inside(victimPath, paths));
      await refused(scene.mallory.raw, inside(scene.victimId, preciousPaths(paths)));
      assert.equal(await scene.victimState(), before);
    });

    for (const cluster of [
      'root:cells',
      'root:globex',
      'root:acme',
      ...cells.map((cell) => `root:cells:${cell}`),
    ]) {
      test(`of ${cluster}`, async () => {
        const paths = preciousPaths(await servedPaths(scene.admin.raw, cluster));
        await refused(scene.mallory.raw, inside(cluster, paths));
      });
    }

    // Whoever is authenticated may enter root, see its kinds, ask about themselves and use its workspace types.
    test('of root, with its prefix and without', async () => {
      const open = /\/self\w+reviews$|^\/(apis?|openapi|)\b(?!.*\/namespaces)[^?]*$|workspacetypes/;
      const paths = preciousPaths(await servedPaths(scene.admin.raw, 'root'));
      const closed = paths.filter(
        (path) => !open.test(path) || /secrets|configmaps|clusterroles|cells|workspaces/.test(path),
      );
      assert.ok(closed.length > 20);
      await refused(scene.mallory.raw, inside('root', closed));
      await refused(scene.mallory.raw, closed.flatMap(everyVerb));
    });

    test('over all workspaces', async () => {
      const paths = preciousPaths(await servedPaths(scene.admin.raw, victimPath));
      await refused(scene.mallory.raw, inside('*', paths), [...refusals, 405]);
    });
  });

  test('whether something is there is not told', async () => {
    for (const [there, absent] of [
      [`/clusters/${victimPath}/api/v1/namespaces/${victimNamespace}/secrets/crown`, 'crowm'],
      [`/clusters/root:cells/api/v1/namespaces/cell-credentials/secrets/pop-a-cell-a`, 'pop-a-cell-x'],
    ] as const) {
      const name = there.slice(there.lastIndexOf('/') + 1);
      const one = await scene.mallory.raw.send({ path: there });
      const other = await scene.mallory.raw.send({ path: there.replace(name, absent) });
      assert.equal(one.status, other.status);
      assert.equal(one.text, other.text.replaceAll(absent, name));
    }
  });

  test('the own workspace shows nothing of another: lists, selectors, watches, Tables', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const watched = ['configmaps', 'secrets', 'namespaces'] as const;
    const watching = Promise.allSettled(
      watched.map(async (resource) => {
        const collection = { cluster: attackerPath, gvr: gvrs[resource] };
        for await (const event of scene.mallory.client.watch(collection, { signal: stop.signal })) {
          if (event.type !== 'BOOKMARK') seen.push(`${resource} ${JSON.stringify(event.object)}`);
        }
      }),
    );
    for (const query of [
      '',
      '?labelSelector=marker',
      `?fieldSelector=metadata.namespace%3D${victimNamespace}`,
    ]) {
      for (const accept of [
        'application/json',
        'application/yaml',
        'application/json;as=Table;v=v1;g=meta.k8s.io',
      ]) {
        for (const resource of ['configmaps', 'secrets', 'events', 'serviceaccounts']) {
          const path = `/clusters/${attackerPath}/api/v1/${resource}${query}`;
          const { status, text } = await scene.mallory.raw.send({ path, headers: { accept } });
          assert.equal(status, 200, text);
          assert.equal(text.includes(marker), false, path);
        }
      }
    }
    await scene.admin.client.patch(
      { cluster: victimPath, gvr: gvrs.configmaps, namespace: victimNamespace, name: 'crown' },
      { type: 'merge', body: { data: { more: marker } } },
    );
    for (const cell of cells) {
      // Later tests hold that nothing of the victim changes: what changes here has to have arrived.
      await until(`the change is at ${cell}`, async () =>
        JSON.stringify((await scene.victimAtEdge(cell))?.['data']).includes('"more"'),
      );
    }
    for (const [resource, kind] of [
      ['configmaps', 'ConfigMap'],
      ['secrets', 'Secret'],
      ['namespaces', 'Namespace'],
    ] as const) {
      const namespace = resource === 'namespaces' ? undefined : 'default';
      await scene.mallory.client.create(
        { cluster: attackerPath, gvr: gvrs[resource], namespace },
        { apiVersion: 'v1', kind, metadata: { name: 'last' } },
      );
      await until(`her own event of ${resource} comes`, () =>
        seen.some((text) => text.startsWith(`${resource} `) && text.includes('"name":"last"')),
      );
    }
    stop.abort();
    await watching;
    assert.equal(
      seen.some((text) => text.includes(marker)),
      false,
    );
    await scene.rests();
  });

  describe('service accounts', () => {
    let robot: Actor;
    let token = '';

    before(async () => {
      // The same name in both workspaces, with all rights in its own.
      for (const cluster of [attackerPath, victimPath]) {
        await scene.admin.client.create(
          { cluster, gvr: gvrs.serviceaccounts, namespace: 'default' },
          { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
        );
        await makeAdmin(scene.admin, cluster, 'robot', {
          kind: 'ServiceAccount',
          name: 'robot',
          namespace: 'default',
        });
      }
      const path = `/clusters/${attackerPath}/api/v1/namespaces/default/serviceaccounts/robot/token`;
      const { json = {} } = await scene.mallory.raw.send({ path, method: 'POST', body: '{"spec":{}}' });
      ({ token } = json['status'] as { token: string });
      robot = await scene.cast.bearer(token);
    });

    test('a token is at home in its own workspace, with or without its prefix', async () => {
      for (const prefix of [`/clusters/${attackerPath}`, '']) {
        const { status, json } = await robot.raw.send({ path: `${prefix}/api/v1/configmaps` });
        assert.equal(status, 200);
        assert.ok(JSON.stringify(json).includes('"last"'));
      }
    });

    test('its name means nothing elsewhere, whatever is bound to that name there', async () => {
      const before = await scene.victimState();
      const paths = (await servedPaths(scene.admin.raw, victimPath)).filter((path) =>
        /secrets|configmaps|roles/.test(path),
      );
      await refused(
        robot.raw,
        paths
          .flatMap(everyVerb)
          .map((request) => ({ ...request, path: `/clusters/${victimPath}${request.path}` })),
      );
      await refused(robot.raw, [
        { path: '/clusters/*/api/v1/secrets' },
        { path: '/clusters/root:cells/api/v1/secrets' },
      ]);
      assert.equal(await scene.victimState(), before);
    });

    test('a review elsewhere does not take the token for its own', async () => {
      const review = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        metadata: {},
        spec: { token },
      };
      const path = `/clusters/${victimPath}/apis/authentication.k8s.io/v1/tokenreviews`;
      const { json = {} } = await scene.admin.raw.send({ path, body: JSON.stringify(review) });
      const { authenticated = false, user } = json['status'] as {
        authenticated?: boolean;
        user?: { username: string };
      };
      if (authenticated) assert.notEqual(user?.username, 'system:serviceaccount:default:robot');
    });

    test('a token that was altered is nobody', async () => {
      const [head = '', body = '', seal = ''] = token.split('.');
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { [claim: string]: unknown };
      const moved = JSON.stringify(claims).replaceAll(
        String(
          (claims['kubernetes.io'] as { clusterName?: string } | undefined)?.clusterName ?? attackerPath,
        ),
        scene.victimId,
      );
      const none = Buffer.from('{"alg":"none"}').toString('base64url');
      const forgedBody = Buffer.from(moved).toString('base64url');
      for (const text of [
        `${head}.${forgedBody}.${seal}`,
        `${none}.${forgedBody}.`,
        `${head}.${body}.`,
        'a.b.c',
      ]) {
        const { raw } = await scene.cast.bearer(text);
        for (const cluster of [victimPath, attackerPath]) {
          assert.equal((await raw.send({ path: `/clusters/${cluster}/api/v1/secrets` })).status, 401);
        }
      }
    });
  });

  test('impersonation reaches no further than the own workspace, and makes nobody a component', async () => {
    const as = (user: string, ...groups: string[]) => ({
      'impersonate-user': user,
      ...(groups.length === 0 ? {} : { 'impersonate-group': groups.join(',') }),
    });
    const secrets = '/api/v1/secrets';
    const identities = [
      as('admin', 'system:masters'),
      as('cellplane-admin', 'system:masters'),
      as('system:cellplane:scheduler', 'system:cellplane:schedulers'),
      as('system:cellplane:federator:federator-a', 'system:cellplane:federators'),
      as('system:apiserver', 'system:masters'),
    ];
    for (const headers of identities) {
      for (const cluster of [victimPath, 'root:cells', 'root', '*', `root:cells:${cells[0]}`]) {
        const { status, text } = await scene.mallory.raw.send({
          path: `/clusters/${cluster}${secrets}`,
          headers,
        });
        assert.ok(
          refusals.includes(status),
          `${cluster} as ${headers['impersonate-user']}: ${status} ${text}`,
        );
      }
      const path = `/clusters/${attackerPath}/apis/work.karmada.io/v1alpha2/namespaces/default/resourcebindings`;
      const body = JSON.stringify({
        apiVersion: 'work.karmada.io/v1alpha2',
        kind: 'ResourceBinding',
        metadata: { name: 'forged' },
        spec: {
          resource: {
            apiVersion: 'v1',
            kind: 'Secret',
            resource: 'secrets',
            name: 'crown',
            namespace: victimNamespace,
          },
        },
      });
      const { status, text } = await scene.mallory.raw.send({ path, body, headers });
      assert.equal(status, 403, `binding as ${headers['impersonate-user']}: ${status} ${text}`);
    }
  });

  test('identity headers of a front proxy are not believed', async () => {
    const headers = {
      'x-remote-user': 'admin',
      'x-remote-group': 'system:masters',
      'x-forwarded-user': 'admin',
    };
    await refused(scene.mallory.raw, [
      { path: `/clusters/${victimPath}/api/v1/secrets`, headers },
      { path: '/clusters/*/api/v1/secrets', headers },
      {
        path: '/clusters/root/api/v1/secrets',
        headers: { ...headers, 'x-kcp-internal-deep-subjectaccessreview': '1' },
      },
    ]);
  });

  test('paths that try to leave the workspace', async () => {
    const own = `/clusters/${attackerPath}`;
    const rest = `api/v1/namespaces/${victimNamespace}/secrets`;
    await refused(
      scene.mallory.raw,
      [
        `${own}/../${victimPath}/${rest}`,
        `${own}/clusters/${victimPath}/${rest}`,
        `${own}%2F..%2F${victimPath}/${rest}`,
        `/clusters/${attackerPath}/../../clusters/${victimPath}/${rest}`,
        `/clusters/${attackerPath}:../${rest}`,
        `//clusters/${victimPath}/${rest}`,
        `/services/apiexport/${victimPath}/x/clusters/*/${rest}`,
        `${own}/api/v1/namespaces/default/../../../../${victimPath}/${rest}`,
        `${own}/api/v1/namespaces/..%2F..%2F${scene.victimId}/secrets/crown`,
      ].map((path) => ({ path })),
      [400, ...refusals],
    );
  });

  test('the own LogicalCluster and Workspace cannot be turned into another', async () => {
    const path = `/clusters/${attackerPath}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster`;
    const before = await scene.admin.raw.send({ path });
    for (const body of [
      { metadata: { annotations: { 'kcp.io/path': victimPath } } },
      { metadata: { annotations: { 'federation.cellplane.io/mapping-name': 'globex' } } },
      { metadata: { annotations: { 'kcp.io/cluster': scene.victimId } } },
      { metadata: { labels: { 'federation.cellplane.io/origin-cluster': scene.victimId } } },
      {
        spec: {
          owner: {
            name: 'shop',
            cluster: scene.victimId,
            resource: 'workspaces',
            apiVersion: 'tenancy.kcp.io/v1alpha1',
          },
        },
      },
      { status: { phase: 'Initializing', initializers: ['root:x'] } },
    ]) {
      for (const at of [path, `${path}/status`]) {
        const request = { path: at, method: 'PATCH', body: JSON.stringify(body) };
        await scene.mallory.raw.send({ ...request, contentType: 'application/merge-patch+json' });
      }
    }
    const now = await scene.admin.raw.send({ path });
    const kept = ({ json = {} }: typeof now): unknown => {
      const { annotations } = json['metadata'] as { annotations: JsonObject };
      const of = (key: string) => annotations[key];
      return [
        of('kcp.io/path'),
        of('kcp.io/cluster'),
        of('federation.cellplane.io/mapping-name'),
        json['spec'],
        json['status'],
      ];
    };
    assert.deepEqual(kept(now), kept(before));
  });

  test('a certificate of another authority, and none, are nobody', async () => {
    const { status } = await (await scene.cast.bearer('')).raw.send({
      path: `/clusters/${victimPath}/api/v1/secrets`,
    });
    assert.ok(status === 401 || status === 403, String(status));
  });
});
