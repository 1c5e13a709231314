import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apiError, Harness } from './testing/harness.ts';

const path = (version: string) =>
  `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers/web`;
const target = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' };
const metric = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

function specFields(object: KubeObject): JsonObject {
  return Object.fromEntries(
    (object.metadata.managedFields ?? []).map(({ manager = '', apiVersion = '', fieldsV1 }) => [
      `${manager} ${apiVersion}`,
      Object.keys((fieldsV1?.['f:spec'] ?? {}) as JsonObject).sort(),
    ]),
  );
}

test('P4, P6: fields are owned across versions that convert; what is left out in another version is removed', async () => {
  await using harness = await Harness.open();
  const apply = async (
    version: string,
    manager: string,
    spec: JsonObject,
    force = false,
  ): Promise<KubeObject> => {
    const body = {
      apiVersion: `autoscaling/${version}`,
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec,
    };
    const query = `?fieldManager=${manager}${force ? '&force=true' : ''}`;
    const { object } = await harness.patch(`${path(version)}${query}`, 'apply', body);
    return object as KubeObject;
  };
  await apply('v1', 'one', { scaleTargetRef: target, maxReplicas: 5, targetCPUUtilizationPercentage: 50 });
  const both = await apply('v2', 'two', { scaleTargetRef: target, maxReplicas: 5, metrics: [metric(50)] });
  assert.deepEqual(specFields(both), {
    'one autoscaling/v1': ['f:maxReplicas', 'f:scaleTargetRef', 'f:targetCPUUtilizationPercentage'],
    'two autoscaling/v2': ['f:maxReplicas', 'f:metrics', 'f:scaleTargetRef'],
  });
  await assert.rejects(
    apply('v2', 'two', { scaleTargetRef: target, maxReplicas: 5, metrics: [metric(60)] }),
    apiError('Conflict', /conflict with "one": \.spec\.targetCPUUtilizationPercentage/),
  );
  const taken = await apply(
    'v2',
    'two',
    { scaleTargetRef: target, maxReplicas: 5, metrics: [metric(60)] },
    true,
  );
  assert.deepEqual(specFields(taken)['one autoscaling/v1'], ['f:maxReplicas', 'f:scaleTargetRef']);
  // The second manager goes on in the first version, and leaves out what nobody else owns: it goes.
  const two = { scaleTargetRef: target, maxReplicas: 5, metrics: [metric(60)] };
  const more = await apply('v2', 'two', { ...two, minReplicas: 3 }, true);
  assert.equal((more['spec'] as JsonObject)['minReplicas'], 3);
  const moved = await apply('v1', 'two', {
    scaleTargetRef: target,
    maxReplicas: 5,
    targetCPUUtilizationPercentage: 60,
  });
  assert.equal((moved['spec'] as JsonObject)['minReplicas'], 1);
  assert.equal((moved['spec'] as JsonObject)['targetCPUUtilizationPercentage'], 60);
  assert.deepEqual(specFields(moved), {
    'one autoscaling/v1': ['f:maxReplicas', 'f:scaleTargetRef'],
    'two autoscaling/v1': ['f:maxReplicas', 'f:scaleTargetRef', 'f:targetCPUUtilizationPercentage'],
  });
});
