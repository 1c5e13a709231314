// From a project to two edges and back, all parts in one process.
// docs/federation-contract.md: FD5, FE2
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { Constellation } from '../harness/constellation.ts';
import { deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { until } from '../harness/until.ts';

const policies = {
  group: 'policy.karmada.io',
  version: 'v1alpha1',
  resource: 'propagationpolicies',
} as const;
const bindings = { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' } as const;
const cells = ['cell-a', 'cell-b'] as const;

interface BindingStatus {
  readonly aggregatedStatus?: readonly {
    readonly clusterName: string;
    readonly applied?: boolean;
    readonly appliedMessage?: string;
  }[];
}

describe('projects', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  const projects = ['root:acme:shop', 'root:globex:shop'];
  before(async () => {
    constellation = await Constellation.start({ cells, federators: ['federator-a', 'federator-b'] });
    for (const project of projects) {
      await constellation.createProject(project);
      await constellation.admin.create(
        { cluster: project, gvr: policies, namespace: 'shop' },
        {
          apiVersion: 'policy.karmada.io/v1alpha1',
          kind: 'PropagationPolicy',
          metadata: { name: 'all' },
          spec: {
            resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
            placement: { clusterAffinity: { clusterNames: [...cells] } },
          },
        },
      );
    }
  });
  after(() => constellation[Symbol.asyncDispose]());

  const deploy = (project: string, name: string, image = 'registry.example/x:v1') =>
    constellation.admin.apply(
      { cluster: project, gvr: deployments, namespace: 'shop', name },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'shop' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image }] } },
        },
      },
      { fieldManager: 'test' },
    );
  const atEdge = async (cell: string, project: string, name: string): Promise<KubeObject | undefined> => {
    const { items } = await constellation.edge(cell).client.list({ cluster: undefined, gvr: deployments });
    return items.find(
      ({ metadata }) =>
        metadata.name === name && metadata.annotations?.['federation.cellplane.io/origin-path'] === project,
    );
  };
  const bindingOf = async (project: string, name: string): Promise<BindingStatus | undefined> => {
    const { items } = await constellation.admin.list({ cluster: project, gvr: bindings, namespace: 'shop' });
    return items.find(({ metadata }) => metadata.name?.startsWith(`${name}-`))?.['status'] as
      | BindingStatus
      | undefined;
  };

  test('two projects of the same names stand side by side at both edges', async () => {
    for (const project of projects) await deploy(project, 'web');
    for (const cell of cells) {
      const places = new Set<string>();
      for (const project of projects) {
        const object = await until(`${project} is at ${cell}`, () => atEdge(cell, project, 'web'));
        places.add(object.metadata.namespace ?? '');
      }
      assert.equal(places.size, 2);
    }
  });

  test('what one edge refuses stands in the project’s binding, and goes from there when it is right', async () => {
    const [project = ''] = projects;
    let refuses = true;
    const refusal = 'admission webhook "images.example" denied the request: registry is not allowed';
    for (const { edgeTap } of constellation.federators.values()) {
      edgeTap.intercept = ({ verb, name }) => {
        if (refuses && verb === 'apply' && name === 'refused') throw new ApiError('Forbidden', refusal);
      };
    }
    await deploy(project, 'refused');
    const item = await until('the binding says so', async () => {
      const status = await bindingOf(project, 'refused');
      return status?.aggregatedStatus?.find(({ appliedMessage }) => appliedMessage !== undefined);
    });
    assert.match(item.appliedMessage ?? '', /Forbidden: admission webhook "images.example" denied/);
    assert.equal(item.applied, false);
    refuses = false;
    await deploy(project, 'refused', 'registry.example/x:v2');
    await until('it is applied everywhere, and nothing is complained of', async () => {
      const items = (await bindingOf(project, 'refused'))?.aggregatedStatus ?? [];
      return items.length === 2 && items.every(({ applied, appliedMessage }) => applied && !appliedMessage);
    });
  });

  test('what is deleted in the project goes from the edges, its namespace last', async () => {
    const [project = '', other = ''] = projects;
    const namespace = (await atEdge('cell-a', project, 'web'))?.metadata.namespace ?? '';
    for (const name of ['web', 'refused']) {
      await constellation.admin.delete({ cluster: project, gvr: deployments, namespace: 'shop', name });
    }
    for (const cell of cells) {
      await until(
        `they are gone from ${cell}`,
        async () =>
          (await atEdge(cell, project, 'web')) === undefined &&
          (await atEdge(cell, project, 'refused')) === undefined,
      );
      assert.ok(await atEdge(cell, other, 'web'));
    }
    assert.ok(await find(constellation.edge('cell-a').client, edgeRef(namespaces, namespace)));
  });

  test('a suspended cell holds back what its project does, and catches up', async () => {
    const [, project = ''] = projects;
    await constellation.patchCell('cell-b', { spec: { suspend: true } });
    await until('the Cell says so', async () =>
      (await constellation.cell('cell-b')).status?.conditions?.some(({ reason }) => reason === 'Suspended'),
    );
    await deploy(project, 'later');
    await until('the other cell has it', () => atEdge('cell-a', project, 'later'));
    assert.equal(await atEdge('cell-b', project, 'later'), undefined);
    await constellation.patchCell('cell-b', { spec: { suspend: false } });
    await until('it catches up', () => atEdge('cell-b', project, 'later'));
  });
});
