// Manifests of the forms that Karmada's documentation shows, as they are: every kind and family of fields is taken by
// server-side apply, and the main ones do what the documentation says.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { cellsGvr } from '#api/federation/cell.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { federatedResourceQuotasGvr } from '#api/policy/federated-resource-quota.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { workloadRebalancersGvr } from '#api/policy/workload-rebalancer.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { Constellation } from '../harness/constellation.ts';
import { deployments } from '../harness/edge-objects.ts';
import { until } from '../harness/until.ts';

const folder = path.resolve('test/placement/karmada-docs');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const cellsWorkspace = 'root:cells';
const plurals: { readonly [kind: string]: string | undefined } = {
  PropagationPolicy: 'propagationpolicies',
  ClusterPropagationPolicy: 'clusterpropagationpolicies',
  OverridePolicy: 'overridepolicies',
  ClusterOverridePolicy: 'clusteroverridepolicies',
  ClusterTaintPolicy: 'clustertaintpolicies',
  FederatedResourceQuota: 'federatedresourcequotas',
  WorkloadRebalancer: 'workloadrebalancers',
  ResourceInterpreterCustomization: 'resourceinterpretercustomizations',
};
const members: { readonly [name: string]: readonly [labels: { [key: string]: string }, spec: JsonObject] } = {
  member1: [{ location: 'eu' }, { region: 'eu-central', provider: 'example', zones: ['az-1'] }],
  member2: [{ location: 'us' }, { region: 'us-east', provider: 'example', zones: ['az-1'] }],
  member3: [{ tier: 'cloud' }, { region: 'us-west', provider: 'other', zones: ['az-2'] }],
};

function documentsIn(file: string): KubeObject[] {
  return parseAllDocuments(readFileSync(path.join(folder, file), 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  );
}

function refOf(workspace: string, { apiVersion, kind, metadata }: KubeObject) {
  const { group = '', version = '' } = parseApiVersion(apiVersion) ?? {};
  const resource = plurals[kind];
  if (resource === undefined) throw new RangeError(`what is the plural of ${kind}?`);
  return {
    cluster: kind === 'ClusterTaintPolicy' ? cellsWorkspace : workspace,
    gvr: { group, version, resource },
    namespace: metadata.namespace,
    name: metadata.name ?? '',
  };
}

describe('manifests of Karmada’s documentation', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let made = 0;

  before(async () => {
    constellation = await Constellation.start({ cells: [], federators: [] });
    for (const [name, [labels, spec]] of Object.entries(members)) {
      await constellation.admin.create(
        { cluster: cellsWorkspace, gvr: cellsGvr },
        {
          apiVersion: 'federation.cellplane.io/v1alpha1',
          kind: 'Cell',
          metadata: { name, labels },
          spec: { ...spec, capacity: { cpu: '100', memory: '100Gi', pods: '100' } },
        },
      );
    }
  });
  after(async () => {
    await constellation[Symbol.asyncDispose]();
  });

  const apply = (workspace: string, object: KubeObject, dryRun = false): Promise<KubeObject> =>
    constellation.admin.apply(refOf(workspace, object), object, { fieldManager: 'docs', dryRun });

  /** A project of its own with what the files say, and the PriorityClasses that they name. */
  async function projectWith(...names: string[]): Promise<string> {
    const project = await constellation.createProject(`root:docs:p${made++}`, 'example');
    for (const name of names) {
      for (const object of documentsIn(name)) {
        await apply(project, object);
        const { schedulePriority } = object['spec'] as PropagationSpec;
        if (schedulePriority !== undefined)
          await priorityClass(project, schedulePriority.priorityClassName ?? '');
      }
    }
    return project;
  }

  const priorityClass = (project: string, name: string) =>
    constellation.admin.create(
      {
        cluster: project,
        gvr: { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' },
      },
      { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value: 1000 },
    );

  const deploy = (project: string, name: string, replicas: number, more: JsonObject = {}, labels = {}) =>
    constellation.admin.apply(
      { cluster: project, gvr: deployments, namespace: 'default', name },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'default', labels: { app: 'nginx', ...labels } },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: {
              containers: [
                {
                  name: 'nginx',
                  image: 'docker.io/library/nginx:1.1',
                  command: ['nginx'],
                  args: ['--quiet', '--fast'],
                  resources: { requests: { cpu: '200m', memory: '100Mi' } },
                },
              ],
              ...more,
            },
          },
        },
      },
      { fieldManager: 'test', force: true },
    );

  const bindingOf = (project: string, name: string, holds: (binding: ResourceBinding) => boolean) =>
    until(`the binding of ${name}`, async () => {
      const { items } = await constellation.admin.list({ cluster: project, gvr: resourceBindingsGvr });
      return (items as ResourceBinding[]).find(
        (binding) => binding.spec.resource.name === name && holds(binding),
      );
    });
  const sharesOf = ({ spec }: ResourceBinding): string =>
    (spec.clusters ?? []).map(({ name, replicas }) => `${name} ${replicas}`).join(', ');
  const placed = (project: string, name: string, shares: string) =>
    bindingOf(project, name, (binding) => sharesOf(binding) === shares);

  const copiesIn = async (cell: string, resource: string, name: string, project: string) => {
    const gvr = resource === 'deployments' ? deployments : { group: '', version: 'v1', resource };
    const { items } = await constellation.admin.list({ cluster: `${cellsWorkspace}:${cell}`, gvr });
    return items.find(({ metadata: { annotations = {} } }) => {
      const isNamed = annotations[copyAnnotations.originName] === name;
      return isNamed && annotations[copyAnnotations.originPath] === project;
    });
  };
  /** `holds`: of its JSON; a policy may be heard of after the object that it changes. */
  const copyIn = (
    cell: string,
    resource: string,
    name: string,
    project: string,
    holds: (text: string) => boolean = () => true,
  ) =>
    until(`${resource} ${name} in ${cell}`, async () => {
      const copy = await copiesIn(cell, resource, name, project);
      return copy !== undefined && holds(JSON.stringify(copy)) ? copy : undefined;
    });

  test('are taken as they are, by server-side dry run, and nothing of them is lost', async () => {
    const project = await projectWith();
    const kinds = new Set<string>();
    for (const file of files.filter((name) => !name.startsWith('refused-'))) {
      for (const object of documentsIn(file)) {
        kinds.add(object.kind);
        const taken = await apply(project, object, true);
        assertHolds(taken['spec'], object['spec'], `${file} ${object.kind} spec`);
      }
    }
    const wanted = Object.keys(plurals).filter((kind) => kind !== 'ResourceInterpreterCustomization');
    assert.deepEqual([...kinds].sort(), wanted.sort(), 'every kind is shown');
  });

  test('Lua is refused by its path', async () => {
    const project = await projectWith();
    const [object] = documentsIn('refused-lua.yaml');
    await assert.rejects(apply(project, object as KubeObject, true), (error) => {
      assert.ok(isApiError(error, 'Invalid'));
      assert.match(error.message, /spec\.customizations\.healthInterpretation\.luaScript: .*CEL/);
      return true;
    });
  });

  for (const [file, replicas, shares] of [
    ['propagation.yaml', 2, 'member1 2, member2 2'],
    ['static-weights.yaml', 9, 'member1 3, member2 6'],
    ['dynamic-weights.yaml', 4, 'member1 2, member2 2'],
    ['affinity-groups.yaml', 3, 'member1 3'],
    ['affinity-groups.yaml', 110, 'member1 100, member3 10'],
    ['priorities.yaml', 1, 'member3 1'],
    ['migration.yaml', 2, 'member1 2, member2 2'],
    ['more-forms.yaml', 3, 'member1 1, member2 2'],
  ] as const) {
    test(`${file}: ${replicas} replicas go to ${shares}`, async () => {
      const project = await projectWith(file);
      await deploy(project, 'nginx', replicas, { containers: [{ name: 'nginx', image: 'nginx' }] });
      await placed(project, 'nginx', shares);
      await constellation.admin.delete({
        cluster: project,
        gvr: deployments,
        namespace: 'default',
        name: 'nginx',
      });
      // What it takes up is the next one's to have.
      await until('its binding is gone', async () => {
        const { items } = await constellation.admin.list({ cluster: project, gvr: resourceBindingsGvr });
        return (items as ResourceBinding[]).every(({ spec }) => spec.resource.name !== 'nginx');
      });
    });
  }

  test('spread.yaml: one cluster in each of two regions', async () => {
    const project = await projectWith('spread.yaml');
    await deploy(project, 'nginx', 2);
    const binding = await bindingOf(project, 'nginx', ({ spec }) => spec.clusters?.length === 2);
    const regions = (binding.spec.clusters ?? []).map(({ name }) => members[name]?.[1]['region']);
    assert.equal(new Set(regions).size, 2);
  });

  test('overrides.yaml: what goes to one cluster differs', async () => {
    const project = await projectWith('overrides.yaml', 'propagation.yaml');
    await deploy(project, 'nginx', 1);
    const parts = [
      '"image":"registry.example.com/library/nginx:1.2"',
      '"command":["nginx","--debug"]',
      '"args":["--fast"]',
      '"env":"prod"',
      '"region":"one"',
      '"terminationGracePeriodSeconds":7',
    ];
    await copyIn('member1', 'deployments', 'nginx', project, (text) =>
      parts.every((part) => text.includes(part)),
    );
    const other = JSON.stringify(await copyIn('member2', 'deployments', 'nginx', project));
    assert.ok(other.includes('"image":"docker.io/library/nginx:1.1"'));
  });

  test('rollout-by-overrides.yaml: another version and other replicas in one cluster', async () => {
    const project = await projectWith('rollout-by-overrides.yaml');
    await deploy(project, 'nginx', 6);
    await copyIn('member1', 'deployments', 'nginx', project, (text) => {
      return text.includes('"args":["--version=2","--fast"]') && text.includes('"replicas":4');
    });
    const other = JSON.stringify(await copyIn('member2', 'deployments', 'nginx', project));
    assert.ok(other.includes('"args":["--quiet","--fast"]') && other.includes('"replicas":6'), other);
    // The wave is over: the override goes, and what it changed is as it was.
    const [, , wave] = documentsIn('rollout-by-overrides.yaml');
    await constellation.admin.delete(refOf(project, wave as KubeObject));
    await copyIn('member1', 'deployments', 'nginx', project, (text) => text.includes('"replicas":6'));
  });

  test('guides.yaml: overrides in their order, in one cluster and in all; a priority by its class', async () => {
    const project = await projectWith('guides.yaml');
    await deploy(project, 'nginx', 3);
    const everywhere = ['"command":["nginx","--cluster=any"]', '"args":["--fast"]'];
    const inOne = ['"replicas":5', '"baz":"qux"', '"image":"docker.io/library/nginx:1.17.0-alpine"'];
    const copy = await copyIn('member2', 'deployments', 'nginx', project, (text) =>
      [...everywhere, ...inOne].every((part) => text.includes(part)),
    );
    assert.equal(copy.metadata.annotations?.['foo'], undefined);
    const other = await copyIn('member1', 'deployments', 'nginx', project, (text) =>
      everywhere.every((part) => text.includes(part)),
    );
    assert.ok(!inOne.some((part) => JSON.stringify(other).includes(part)), JSON.stringify(other));
    await bindingOf(project, 'nginx', ({ spec }) => {
      return (spec['schedulePriority'] as JsonObject | undefined)?.['priority'] === 1000;
    });
  });

  test('kinds of Karmada that are not here are refused, and not kept', async () => {
    const project = await projectWith();
    for (const [group, version, resource] of [
      ['autoscaling.karmada.io', 'v1alpha1', 'federatedhpas'],
      ['autoscaling.karmada.io', 'v1alpha1', 'cronfederatedhpas'],
      ['networking.karmada.io', 'v1alpha1', 'multiclusterservices'],
      ['networking.karmada.io', 'v1alpha1', 'multiclusteringresses'],
      ['remedy.karmada.io', 'v1alpha1', 'remedies'],
      ['search.karmada.io', 'v1alpha1', 'resourceregistries'],
      ['cluster.karmada.io', 'v1alpha1', 'clusters'],
      ['work.karmada.io', 'v1alpha1', 'works'],
      ['config.karmada.io', 'v1alpha1', 'resourceinterpreterwebhookconfigurations'],
    ] as const) {
      const collection = { cluster: project, gvr: { group, version, resource }, namespace: 'default' };
      const object = { apiVersion: `${group}/${version}`, kind: 'Any', metadata: { name: 'any' }, spec: {} };
      await assert.rejects(constellation.admin.create(collection, object), (error) => {
        assert.ok(isApiError(error, 'NotFound'), `${resource}: ${String(error)}`);
        return true;
      });
    }
  });

  test('overrides.yaml: fields within text', async () => {
    const project = await projectWith('overrides.yaml');
    const resourceSelectors = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'app-config' }];
    const [policy] = documentsIn('propagation.yaml') as [KubeObject];
    const spec = { ...(policy['spec'] as JsonObject), resourceSelectors };
    await apply(project, { ...policy, spec });
    await constellation.admin.create(
      { cluster: project, gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'app-config' },
        data: { 'config.yaml': 'server:\n  port: 80\n', 'config.json': '{"debug":true,"level":1}' },
      },
    );
    const isChanged = (text: string) => text.includes('port: 8080') && !text.includes('debug');
    const copy = await copyIn('member1', 'configmaps', 'app-config', project, isChanged);
    const data = copy['data'] as { [key: string]: string };
    assert.match(data['config.yaml'] ?? '', /port: 8080/);
    assert.deepEqual(JSON.parse(data['config.json'] ?? ''), { level: 1 });
  });

  test('dependencies.yaml: what the workload names goes with it', async () => {
    const project = await projectWith('dependencies.yaml');
    await constellation.admin.create(
      { cluster: project, gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default' },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a: 'b' } },
    );
    await deploy(project, 'nginx', 1, { volumes: [{ name: 'v', configMap: { name: 'settings' } }] });
    const copy = await copyIn('member2', 'deployments', 'nginx', project);
    assert.equal(copy.metadata.annotations?.[copyAnnotations.conflictResolution], 'Overwrite');
    await copyIn('member2', 'configmaps', 'settings', project);
  });

  test('suspension.yaml: decided, and dispatched to one of two', async () => {
    const project = await projectWith('suspension.yaml');
    await deploy(project, 'nginx', 1);
    await placed(project, 'nginx', 'member1 1, member2 1');
    await copyIn('member1', 'deployments', 'nginx', project);
    assert.equal(await copiesIn('member2', 'deployments', 'nginx', project), undefined);
    await deploy(project, 'busybox', 1);
    // Its override is not there.
    await bindingOf(project, 'busybox', ({ spec, status }) => {
      const waits = status?.conditions?.some(({ message }) => message?.includes('busybox-override'));
      return waits === true && (spec.clusters ?? []).length === 0;
    });
  });

  test('workload-affinity.yaml: members of a group go apart', async () => {
    const project = await projectWith('workload-affinity.yaml');
    for (const name of ['a', 'b', 'c']) await deploy(project, name, 1, {}, { 'app.group': 'one' });
    const cells = new Set<string>();
    for (const name of ['a', 'b', 'c']) {
      const binding = await bindingOf(project, name, ({ spec }) => spec.clusters?.length === 1);
      cells.add(binding.spec.clusters?.[0]?.name ?? '');
    }
    assert.equal(cells.size, 3);
  });

  test('quota.yaml: what would grow beyond is not placed, and each cluster has its part', async () => {
    const project = await projectWith('quota.yaml', 'static-weights.yaml');
    await deploy(project, 'nginx', 6);
    // Two and four of 200m: of one CPU in member2 no more than five.
    await placed(project, 'nginx', 'member1 2, member2 4');
    const copy = await copyIn('member1', 'resourcequotas', 'test', project);
    assert.deepEqual((copy['spec'] as JsonObject)['hard'], { cpu: 1, memory: '2Gi' });
    const ref = { cluster: project, gvr: federatedResourceQuotasGvr, namespace: 'default', name: 'test' };
    await until('the quota counts', async () => {
      const status = (await constellation.admin.get(ref))['status'] as JsonObject | undefined;
      return (status?.['overallUsed'] as JsonObject | undefined)?.['cpu'] === '1200m';
    });
    await deploy(project, 'nginx', 12);
    await bindingOf(project, 'nginx', ({ status }) => {
      return status?.conditions?.some(({ reason }) => reason === 'QuotaExceeded') === true;
    });
  });

  test('rebalancer.yaml: tells of each workload what became of it', async () => {
    const project = await projectWith('propagation.yaml');
    await deploy(project, 'nginx', 1);
    await placed(project, 'nginx', 'member1 1, member2 1');
    for (const object of documentsIn('rebalancer.yaml')) await apply(project, object);
    const done = await until('the rebalancer is done', async () => {
      const object = await constellation.admin.get({
        cluster: project,
        gvr: workloadRebalancersGvr,
        name: 'demo',
      });
      const status = object['status'] as JsonObject | undefined;
      return status?.['finishTime'] === undefined ? undefined : status;
    });
    const results = (done['observedWorkloads'] as JsonObject[]).map((one) => one['result']);
    assert.deepEqual(results.sort(), ['Failed', 'Successful']);
  });
});

/** Nothing that was written is lost; defaults may have been added. */
function assertHolds(actual: JsonValue | undefined, wanted: JsonValue | undefined, at: string): void {
  if (isJsonObject(wanted)) {
    for (const key of Object.keys(wanted))
      assertHolds(isJsonObject(actual) ? actual[key] : undefined, wanted[key], `${at}.${key}`);
  } else if (Array.isArray(wanted)) {
    wanted.forEach((item, i) => {
      assertHolds(Array.isArray(actual) ? actual[i] : undefined, item, `${at}[${i}]`);
    });
  } else {
    assert.deepEqual(actual, wanted, at);
  }
}
