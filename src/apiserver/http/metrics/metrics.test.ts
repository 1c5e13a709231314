import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { HttpMetrics, type ObservedResourceRequest } from './metrics.ts';

function served(group: string, version: string, resource: string): ServedResource {
  const definition = builtinDefinitions().find((one) => one.group === group && one.resource === resource);
  const found = definition?.versions.find((one) => one.version === version);
  assert.ok(definition !== undefined && found !== undefined, `${group}/${version} ${resource}`);
  return { definition, version: found };
}

const pods = served('', 'v1', 'pods');

function asked(parts: Partial<ObservedResourceRequest>, path = ''): ObservedResourceRequest {
  const [namespace = '', name = '', subresource = ''] = path.split('/');
  return {
    verb: 'get',
    code: 200,
    durationMs: 1,
    waitedMs: 0,
    served: pods,
    resource: { group: '', version: 'v1', resource: 'pods', namespace, name, subresource },
    isApply: false,
    isDryRun: false,
    receivedBytes: 0,
    sentBytes: 0,
    ...parts,
  };
}

describe('metrics of requests', () => {
  const cases: [Partial<ObservedResourceRequest>, string, string][] = [
    [{}, 'n/a', 'GET  resource'],
    [{ verb: 'list' }, '', 'LIST  cluster'],
    [{ verb: 'list' }, 'n', 'LIST  namespace'],
    [{ verb: 'watch' }, '', 'WATCH  cluster'],
    [{ verb: 'create', code: 201 }, 'n', 'POST  resource'],
    [{ verb: 'update' }, 'n/a/status', 'PUT status resource'],
    [{ verb: 'patch' }, 'n/a', 'PATCH  resource'],
    [{ verb: 'patch', isApply: true }, 'n/a', 'APPLY  resource'],
    [{ verb: 'delete' }, 'n/a', 'DELETE  resource'],
    [{ verb: 'deletecollection' }, 'n', 'DELETECOLLECTION  namespace'],
    [{ code: 404 }, 'n/a/whatever', 'GET other resource'],
  ];
  for (const [parts, path, expected] of cases) {
    it(`labels as dashboards of Kubernetes have them (endpoints/metrics): ${expected}`, () => {
      const metrics = new HttpMetrics('1.2.3');
      metrics.observe(asked(parts, path));
      const [verb, subresource, scope] = expected.split(' ');
      const line = `apiserver_request_total{verb="${verb}",group="",version="v1",resource="pods",subresource="${subresource}",scope="${scope}",component="apiserver",dry_run="",code="${parts.code ?? 200}"} 1`;
      assert.ok(metrics.render().includes(`${line}\n`), line);
    });
  }

  it('a trial is told apart', () => {
    const metrics = new HttpMetrics('1.2.3');
    metrics.observe(asked({ verb: 'create' }));
    metrics.observe(asked({ verb: 'create', isDryRun: true }));
    assert.match(metrics.render(), /apiserver_request_total\{verb="POST",[^}]*dry_run="All",code="200"\} 1/);
  });

  it('durations, and those without the wait for a seat; none of watches', () => {
    const metrics = new HttpMetrics('1.2.3');
    metrics.observe(asked({ durationMs: 2_000, waitedMs: 1_990 }));
    metrics.observe(asked({ durationMs: 70_000 }));
    metrics.observe(asked({ verb: 'watch', durationMs: 5 }));
    const lines = metrics.render().split('\n');
    const value = (name: string, le = ''): string | undefined =>
      lines
        .find((line) => line.startsWith(`${name}{`) && (le === '' || line.includes(`le="${le}"`)))
        ?.split(' ')
        .at(-1);
    const all = 'apiserver_request_duration_seconds';
    const own = 'apiserver_request_sli_duration_seconds';
    assert.deepEqual([value(`${all}_bucket`, '1.5'), value(`${all}_bucket`, '2')], ['0', '1']);
    assert.deepEqual([value(`${own}_bucket`, '0.025'), value(`${own}_bucket`, '0.05')], [undefined, '1']);
    assert.deepEqual([value(`${all}_bucket`, '60'), value(`${all}_bucket`, '+Inf')], ['1', '2']);
    assert.deepEqual([value(`${all}_sum`), value(`${all}_count`)], ['72', '2']);
    assert.ok(!lines.some((line) => line.startsWith(all) && line.includes('WATCH')));
  });

  it('bodies: those of writes by kind and verb, answers of what is read', () => {
    const metrics = new HttpMetrics('1.2.3');
    metrics.observe(asked({ verb: 'create', receivedBytes: 60_000, sentBytes: 70_000 }));
    metrics.observe(asked({ verb: 'patch', isApply: true, receivedBytes: 10 }));
    metrics.observe(asked({ verb: 'patch', receivedBytes: 20 }));
    metrics.observe(asked({ verb: 'list', sentBytes: 5_000 }));
    const text = metrics.render();
    const read =
      'verb="LIST",group="",version="v1",resource="pods",subresource="",scope="cluster",component="apiserver"';
    for (const line of [
      `apiserver_response_sizes_bucket{${read},le="1000"} 0`,
      `apiserver_response_sizes_bucket{${read},le="10000"} 1`,
      `apiserver_response_sizes_bucket{${read},le="1e+09"} 1`,
      `apiserver_response_sizes_sum{${read}} 5000`,
      'apiserver_request_body_size_bytes_bucket{group="",resource="pods",verb="create",le="50000"} 0',
      'apiserver_request_body_size_bytes_bucket{group="",resource="pods",verb="create",le="150000"} 1',
      'apiserver_request_body_size_bytes_bucket{group="",resource="pods",verb="create",le="3.05e+06"} 1',
      'apiserver_request_body_size_bytes_sum{group="",resource="pods",verb="patch"} 30',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    assert.ok(!text.includes('apiserver_response_sizes_bucket{verb="POST"'));
  });

  it('paths beside resources: some by name, whatever else under none', () => {
    const metrics = new HttpMetrics('1.2.3');
    const paths = ['/healthz/ping', '/api', '/apis/apps/v1', '/openapi/v3/apis/apps/v1', '/x1', '/x2', ''];
    for (const path of paths) {
      metrics.observePlain({ verb: 'get', code: 200, durationMs: 1, waitedMs: 0 }, path);
    }
    metrics.observePlain({ verb: 'brew', code: 405, durationMs: 1, waitedMs: 0 }, '/x');
    const counts = metrics.render().match(/^apiserver_request_total\{.*$/gm) ?? [];
    const shown = /verb="(.*?)".*subresource="(.*?)".*component="(.*?)".* (\d+)$/;
    assert.deepEqual(
      counts.map((line) => shown.exec(line)?.slice(1).join(' ')),
      [
        'GET /healthz  1',
        'GET api apiserver 1',
        'GET apis apiserver 1',
        'GET openapi/v3  1',
        'GET   3',
        'other   1',
      ],
    );
  });

  it('deprecated versions are named with the release that no longer has them', () => {
    const metrics = new HttpMetrics('1.2.3');
    const slices = served('resource.k8s.io', 'v1beta1', 'resourceslices');
    for (let i = 0; i < 3; i++) metrics.observe(asked({ served: slices }));
    metrics.observe(asked({}));
    assert.deepEqual(metrics.render().match(/^apiserver_requested_deprecated_apis\{.*$/gm), [
      'apiserver_requested_deprecated_apis{group="resource.k8s.io",version="v1beta1",resource="resourceslices",subresource="",removed_release="1.38"} 1',
    ]);
  });

  it('watches by kind and scope, their events by kind, and the release under the name that alerts look for', () => {
    const metrics = new HttpMetrics('1.2.3');
    const resource = { group: '', version: 'v1', resource: 'pods', namespace: '', name: '', subresource: '' };
    const all = metrics.watchesOf(pods, resource);
    all.open += 2;
    all.events += 5;
    const one = metrics.watchesOf(pods, { ...resource, namespace: 'n' });
    one.open++;
    one.events++;
    assert.equal(metrics.watchesOf(pods, { ...resource, namespace: 'm' }), one);
    const text = metrics.render();
    const labels = (scope: string) =>
      `component="apiserver",group="",resource="pods",scope="${scope}",subresource="",verb="WATCH",version="v1"`;
    for (const line of [
      `apiserver_longrunning_requests{${labels('cluster')}} 2`,
      `apiserver_longrunning_requests{${labels('namespace')}} 1`,
      'apiserver_watch_events_total{group="",resource="pods",version="v1"} 6',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    assert.match(
      text,
      /^kubernetes_build_info\{.*git_version="v1\.36\.0\+cellplane-1\.2\.3".*major="1".*\} 1$/m,
    );
    for (let i = 0; i < 1_200; i++) {
      const definition = { ...pods.definition, resource: `r${i}` };
      metrics.watchesOf({ definition, version: { ...pods.version } }, resource).open++;
    }
    const open = metrics.render().match(/^apiserver_longrunning_requests\{.*$/gm) ?? [];
    assert.equal(open.length, 1_001);
    assert.ok(open.some((line) => line.includes('resource="other"') && line.endsWith(' 202')));
  });

  it('series are bounded: what comes beyond is told under `other`', () => {
    const metrics = new HttpMetrics('1.2.3');
    for (let i = 0; i < 7_000; i++) {
      const definition = { ...pods.definition, resource: `r${i}` };
      metrics.observe(asked({ served: { definition, version: { ...pods.version } } }));
    }
    const counts = metrics.render().match(/^apiserver_request_total\{.*$/gm) ?? [];
    assert.equal(counts.length, 5_001);
    assert.ok(counts.some((line) => line.includes('resource="other"') && line.endsWith(' 2000')));
    const took = metrics.render().match(/^apiserver_request_sli_duration_seconds_count\{.*$/gm) ?? [];
    assert.equal(took.length, 301);
    assert.ok(took.some((line) => line.includes('resource="other"') && line.endsWith(' 6700')));
  });
});
