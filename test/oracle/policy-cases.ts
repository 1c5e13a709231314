import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { Case, Step } from './case.ts';
import { namespace } from './pair.ts';
import { collectionOf, drawPolicy, labelsOf } from './policies.ts';

const maps = `/api/v1/namespaces/${namespace}/configmaps`;
const mergePatch = 'application/merge-patch+json';

function deployment(name: string, labels: JsonObject, replicas: number): JsonObject {
  const spec = { containers: [{ name: 'c', image: 'registry.example/c' }] };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec },
    },
  };
}

function autoscaler(name: string, labels: JsonObject): JsonObject {
  const target = { type: 'Utilization', averageUtilization: 50 };
  return {
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name, labels } },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' },
      maxReplicas: 3,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    },
  };
}

/** Writes of the kinds that policies are about; what is stored is a ConfigMap, if it may be. */
export function writesUnder({ name }: { readonly name: string }): Case {
  const labels = labelsOf(name);
  const map = (data: JsonObject): JsonObject => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${name}-a`, labels } },
    data,
  });
  const steps: readonly Step[] = [
    { path: maps, body: map({ a: '1' }) },
    {
      path: `${maps}?dryRun=All`,
      body: { ...map({ a: 'x', b: '2' }), metadata: { name: `${name}-b`, labels } },
    },
    {
      method: 'PATCH',
      path: `${maps}/${name}-a`,
      body: { data: { a: '2', b: '1' } },
      contentType: mergePatch,
    },
    { method: 'PUT', path: `${maps}/${name}-a?dryRun=All`, body: map({}) },
    {
      path: `/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`,
      body: deployment(name, labels, 2),
    },
    {
      path: `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers?dryRun=All`,
      body: autoscaler(name, labels),
    },
    {
      path: `${maps}?dryRun=All`,
      body: { ...map({ a: '1' }), metadata: { generateName: `${name}-`, labels } },
    },
    {
      method: 'DELETE',
      path: `${maps}/${name}-a?gracePeriodSeconds=5`,
      body: { propagationPolicy: 'Background' },
    },
  ];
  return { name: `writes under ${name}`, steps };
}

/** What is said of policies when they are written. */
export function writtenPolicies(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const { kind, policy, bindings } = drawPolicy(random, `written-${at}`, 0.35);
    return {
      name: `written ${at}`,
      steps: [
        { path: `${collectionOf(kind)}?dryRun=All`, body: policy },
        ...bindings.map((body) => ({ path: `${collectionOf(`${kind}Binding`)}?dryRun=All`, body })),
      ],
    };
  });
}
