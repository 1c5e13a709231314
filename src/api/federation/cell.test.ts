import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { type Cell, cellAllowsKind, cellDefinition, mayBringGroup, projectMayUse } from './cell.ts';
import { cellTaints } from './cell-taints.ts';

const { strategy } = cellDefinition;
const cell = (spec: Cell['spec'] = {}, status?: Cell['status']): Cell => ({
  apiVersion: 'federation.cellplane.io/v1alpha1',
  kind: 'Cell',
  metadata: { name: 'fra-1' },
  spec,
  ...(status === undefined ? {} : { status }),
});

describe('Cell', () => {
  test('defaults', () => {
    const object = cell({ healthCheck: { intervalSeconds: 5 } });
    strategy.defaults?.(object, 'v1alpha1');
    assert.deepEqual(object.spec, {
      deletionPolicy: 'Orphan',
      healthCheck: { intervalSeconds: 5, timeoutSeconds: 5, failureThreshold: 3, successThreshold: 1 },
    });
  });

  test('columns tell what people have asked for, and every taint', () => {
    const columns = cellDefinition.versions[0]?.columns ?? [];
    const shown = (spec: Cell['spec'], metadata: Partial<KubeObject['metadata']> = {}) => {
      const object = cell(spec);
      Object.assign(object.metadata, metadata);
      return ['Scheduling', 'Taints'].map((name) =>
        columns.find((one) => one.name === name)?.value(object, new Date()),
      );
    };
    assert.deepEqual(shown({}), ['Open', null]);
    const cordon = { key: cellTaints.cordon, effect: 'NoSchedule' as const };
    const drain = { key: cellTaints.drain, effect: 'NoExecute' as const };
    const own = { key: 'gpu', value: 'a100', effect: 'NoSchedule' as const };
    assert.deepEqual(shown({ taints: [own] }), ['Open', 'gpu=a100:NoSchedule']);
    const texts = `${cordon.key}:NoSchedule,${drain.key}:NoExecute`;
    assert.deepEqual(shown({ taints: [cordon] }), ['Cordoned', `${cordon.key}:NoSchedule`]);
    assert.deepEqual(shown({ taints: [cordon, drain] }), ['Draining', texts]);
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    assert.deepEqual(shown({ taints: [drain] }, { deletionTimestamp })[0], 'Removing');
  });

  const invalid: [string, Cell['spec'], string][] = [
    ['no URL', { apiEndpoint: 'edge:6443' }, 'spec.apiEndpoint'],
    ['credentials in the URL', { apiEndpoint: 'https://u:p@edge' }, 'spec.apiEndpoint'],
    ['a foreign protocol', { proxyURL: 'ftp://proxy' }, 'spec.proxyURL'],
    ['a secret without an endpoint', { secretRef: { namespace: 'n', name: 's' } }, 'spec.apiEndpoint'],
    ['two pins', { federator: { name: 'a', selector: {} } }, 'spec.federator'],
    [
      'a probe longer than its pause',
      { healthCheck: { intervalSeconds: 5, timeoutSeconds: 6 } },
      'spec.healthCheck.timeoutSeconds',
    ],
    [
      'a repeated taint',
      {
        taints: [
          { key: 'a', effect: 'NoSchedule' },
          { key: 'a', effect: 'NoSchedule' },
        ],
      },
      'spec.taints[1]',
    ],
    ['a malformed project', { projects: ['root:*:shop'] }, 'spec.projects[0]'],
  ];
  for (const [name, spec, field] of invalid) {
    test(`is refused: ${name}`, () => {
      assert.deepEqual(
        strategy.validate?.(cell(spec)).map((error) => error.field),
        [field],
      );
    });
  }

  test('what is valid is accepted', () => {
    const spec: Cell['spec'] = {
      apiEndpoint: 'https://edge.fra:6443',
      secretRef: { namespace: 'default', name: 'fra-1' },
      proxyURL: 'socks5://proxy:1080',
      projects: ['*', 'root:acme', 'root:acme:*'],
      federator: { selector: { matchLabels: { zone: 'eu' } } },
      taints: [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', effect: 'NoExecute' },
      ],
    };
    assert.deepEqual(strategy.validate?.(cell(spec)), []);
  });

  const epochs: [string, Cell['status'], Cell['status'], boolean][] = [
    ['first', undefined, { assignment: { federator: 'a', epoch: 1 } }, true],
    [
      'a new holder raises it',
      { assignment: { federator: 'a', epoch: 1 } },
      { assignment: { federator: 'b', epoch: 2 } },
      true,
    ],
    [
      'a new holder must',
      { assignment: { federator: 'a', epoch: 1 } },
      { assignment: { federator: 'b', epoch: 1 } },
      false,
    ],
    [
      'it never falls',
      { assignment: { federator: 'a', epoch: 2 } },
      { assignment: { federator: 'a', epoch: 1 } },
      false,
    ],
    ['it is never unset', { assignment: { federator: 'a', epoch: 2 } }, {}, false],
  ];
  for (const [name, old, status, accepted] of epochs) {
    test(`epoch: ${name}`, () => {
      const errors = strategy.validateUpdate?.(cell({}, status), cell({}, old), 'assignment') ?? [];
      assert.equal(errors.length === 0, accepted);
    });
  }

  test('the subresource assignment writes the assignment and the cluster, nothing else', () => {
    const old = cell({ pop: 'fra' }, { kubernetesVersion: 'v1' });
    const proposed: KubeObject = {
      ...cell(
        { pop: 'ams' },
        { assignment: { federator: 'a', epoch: 1 }, cluster: 'c', kubernetesVersion: 'v2' },
      ),
      metadata: { name: 'fra-1', labels: { a: 'b' }, resourceVersion: '7' },
    };
    strategy.prepareForUpdate?.(proposed, old, 'assignment');
    assert.deepEqual(proposed, {
      ...old,
      metadata: { name: 'fra-1', resourceVersion: '7' },
      status: {
        kubernetesVersion: 'v1',
        assignment: { federator: 'a', epoch: 1 },
        federator: 'a',
        cluster: 'c',
      },
    });
  });

  const uses: [string[] | undefined, string, boolean][] = [
    [undefined, 'root:acme:shop', true],
    [[], 'root:acme:shop', false],
    [['*'], 'root:acme:shop', true],
    [['root:acme:shop'], 'root:acme:shop', true],
    [['root:acme:*'], 'root:acme:shop', true],
    [['root:acme:*'], 'root:acme', false],
    [['root:acme:*'], 'root:acmeshop', false],
  ];
  for (const [projects, path, expected] of uses) {
    test(`projects ${JSON.stringify(projects)} and ${path}`, () => {
      assert.equal(projectMayUse(cell(projects === undefined ? {} : { projects }), path), expected);
    });
  }

  const groups: [string[] | undefined, string, boolean][] = [
    [undefined, 'example.com', true],
    [undefined, 'gateway.networking.k8s.io', false],
    [['gateway.networking.k8s.io'], 'gateway.networking.k8s.io', true],
    [['*.example.com'], 'a.example.com', true],
    [['*.example.com'], 'example.com', false],
    [[], 'example.com', false],
  ];
  for (const [allowed, group, expected] of groups) {
    test(`apis ${JSON.stringify(allowed)} and ${group}`, () => {
      assert.equal(
        mayBringGroup(cell(allowed === undefined ? {} : { apis: { groups: allowed } }), group),
        expected,
      );
    });
  }

  test('allow names kinds', () => {
    const allowing = cell({ allow: { kinds: [{ group: 'rbac.authorization.k8s.io', kind: 'Role' }] } });
    assert.equal(cellAllowsKind(allowing, 'rbac.authorization.k8s.io', 'Role'), true);
    assert.equal(cellAllowsKind(allowing, 'rbac.authorization.k8s.io', 'ClusterRole'), false);
    assert.equal(cellAllowsKind(cell(), '', 'Node'), false);
  });
});
