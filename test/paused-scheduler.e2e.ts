// A scheduler that leads stands still for longer than its lease and goes on: nobody has taken over, and nothing that came
// meanwhile is left.
import { describe, test } from 'node:test';
import { propagationPoliciesGvr } from '#api/policy/group.ts';
import { configMaps } from './harness/edge-objects.ts';
import { startConstellation } from './harness/started.ts';
import { until } from './harness/until.ts';

const cell = 'pop-a-cell-a';
const count = 20;
const lease = {
  cluster: undefined,
  gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  namespace: 'kube-system',
  name: 'cellplane-scheduler',
} as const;

describe('a paused scheduler', { timeout: 300_000 }, () => {
  test('that is alone decides what came while its lease was over', async () => {
    await using constellation = await startConstellation();
    const project = await constellation.client('acme-shop');
    const root = await constellation.client('root');
    const edgeClient = await constellation.client(`edge-${cell}`);
    const inDefault = (gvr: typeof configMaps | typeof propagationPoliciesGvr) => ({
      cluster: undefined,
      gvr,
      namespace: 'default',
    });
    await project.create(inDefault(propagationPoliciesGvr), {
      apiVersion: 'policy.karmada.io/v1alpha1',
      kind: 'PropagationPolicy',
      metadata: { name: 'all' },
      spec: {
        resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
        placement: { clusterAffinity: { clusterNames: [cell] } },
      },
    });
    const make = (name: string) =>
      project.create(inDefault(configMaps), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
    // In a namespace that has a name of its own there.
    const isAtEdge = async (name: string) => {
      const { items } = await edgeClient.list({ cluster: undefined, gvr: configMaps });
      return items.some(({ metadata }) => metadata.name === name);
    };
    await make('before');
    await until('the first is at its edge', () => isAtEdge('before'));
    const { scheduler = 0 } = await constellation.processIds();
    try {
      await until('its lease is over', async () => {
        // Again and again: whatever else stops processes on this machine lets them go on as well.
        process.kill(scheduler, 'SIGSTOP');
        const { renewTime, leaseDurationSeconds } = (await root.get(lease))['spec'] as {
          renewTime: string;
          leaseDurationSeconds: number;
        };
        return Date.now() - Date.parse(renewTime) > (leaseDurationSeconds + 1) * 1_000;
      });
      for (let index = 0; index < count; index++) await make(`while-${index}`);
    } finally {
      process.kill(scheduler, 'SIGCONT');
    }
    for (let index = 0; index < count; index++) {
      await until(`while-${index} is at its edge`, () => isAtEdge(`while-${index}`));
    }
  });
});
