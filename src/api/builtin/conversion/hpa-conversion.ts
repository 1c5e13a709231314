import { decodeJsonText } from '#apimachinery/decode-json.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { Conversion } from '#apimachinery/resource-definition.ts';
import { numberAt, objectAt, objectsAt, textAt } from '../read.ts';
import { specMetricToV1, specMetricToV2, statusMetricToV1, statusMetricToV2 } from './hpa-metrics.ts';

/**
 * autoscaling/v1 ↔ autoscaling/v2. What v1 has no field for travels in annotations, in v1's own spelling (source:
 * Kubernetes' pkg/apis/autoscaling/v1/conversion.go).
 */
export const hpaConversion: Conversion = { toStorage: toV2, fromStorage: toV1 };

/** Where a v1 object carries the metrics that it has no field for. */
export const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
/** Where it carries what of its status it has no field for: the status' writers' alone. */
export const statusAnnotations = [
  'autoscaling.alpha.kubernetes.io/current-metrics',
  'autoscaling.alpha.kubernetes.io/conditions',
] as const;
const [currentMetricsAnnotation, conditionsAnnotation] = statusAnnotations;
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
const annotations = [metricsAnnotation, currentMetricsAnnotation, conditionsAnnotation, behaviorAnnotation];

/** What Kubernetes aims at when a v1 object names no target (autoscaling.DefaultCPUUtilization). */
export const defaultCpuUtilization = 80;

type Annotations = { [key: string]: string };

function toV2(hpa: KubeObject): KubeObject {
  if (hpa.apiVersion !== 'autoscaling/v1') return hpa;
  const carried = hpa.metadata.annotations ?? {};
  const { targetCPUUtilizationPercentage: target, ...spec } = objectAt(hpa, 'spec') ?? {};
  const metrics = parsedList(carried[metricsAnnotation]).map(specMetricToV2);
  if (typeof target === 'number') metrics.push(cpuUtilization(target));
  if (metrics.length === 0) metrics.push(cpuUtilization(defaultCpuUtilization));
  const v2Spec: JsonObject = { ...spec, metrics };
  const behavior = parsed(carried[behaviorAnnotation]);
  if (isJsonObject(behavior)) v2Spec['behavior'] = lowerCamelKeys(behavior);
  const converted: KubeObject = {
    ...hpa,
    apiVersion: 'autoscaling/v2',
    metadata: withoutCarried(hpa.metadata),
    spec: v2Spec,
  };
  const status = objectAt(hpa, 'status');
  if (status !== undefined) converted['status'] = statusToV2(status, carried);
  return converted;
}

function statusToV2(status: JsonObject, carried: Annotations): JsonObject {
  const { currentCPUUtilizationPercentage: current, ...rest } = status;
  const v2: JsonObject = rest;
  // Only v1 tells that there are none.
  if (v2['currentReplicas'] === 0) delete v2['currentReplicas'];
  const currentMetrics = parsed(carried[currentMetricsAnnotation]);
  if (Array.isArray(currentMetrics)) {
    v2['currentMetrics'] = currentMetrics.filter(isJsonObject).map(statusMetricToV2);
  } else if (typeof current === 'number') {
    v2['currentMetrics'] = [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } },
    ];
  }
  const conditions = parsed(carried[conditionsAnnotation]);
  if (Array.isArray(conditions)) v2['conditions'] = conditions;
  return v2;
}

function toV1(hpa: KubeObject): KubeObject {
  if (hpa.apiVersion !== 'autoscaling/v2') return hpa;
  const { metrics: _metrics, behavior, ...spec } = objectAt(hpa, 'spec') ?? {};
  const v1Spec: JsonObject = spec;
  const carried: Annotations = {};
  const others: JsonObject[] = [];
  for (const metric of objectsAt(hpa, 'spec', 'metrics')) {
    const utilization = cpuUtilizationOf(metric);
    if (utilization === undefined) others.push(specMetricToV1(metric));
    else v1Spec['targetCPUUtilizationPercentage'] ??= utilization;
  }
  if (others.length > 0) carried[metricsAnnotation] = JSON.stringify(others);
  if (isJsonObject(behavior)) carried[behaviorAnnotation] = JSON.stringify(behaviorToV1(behavior));
  const converted: KubeObject = { ...hpa, apiVersion: 'autoscaling/v1', spec: v1Spec };
  const status = objectAt(hpa, 'status');
  if (status !== undefined) converted['status'] = statusToV1(status, carried);
  const metadata = withoutCarried(hpa.metadata);
  converted.metadata =
    Object.keys(carried).length === 0
      ? metadata
      : { ...metadata, annotations: { ...metadata.annotations, ...carried } };
  return converted;
}

function statusToV1(status: JsonObject, carried: Annotations): JsonObject {
  const { currentMetrics: _current, conditions, ...rest } = status;
  const v1: JsonObject = { currentReplicas: 0, ...rest };
  const metrics = objectsAt(status, 'currentMetrics');
  for (const metric of metrics) {
    const utilization = numberAt(metric, 'resource', 'current', 'averageUtilization');
    if (
      textAt(metric, 'type') === 'Resource' &&
      textAt(metric, 'resource', 'name') === 'cpu' &&
      utilization !== undefined
    ) {
      v1['currentCPUUtilizationPercentage'] = utilization;
    }
  }
  if (metrics.length > 0) carried[currentMetricsAnnotation] = JSON.stringify(metrics.map(statusMetricToV1));
  if (Array.isArray(conditions) && conditions.length > 0) {
    carried[conditionsAnnotation] = JSON.stringify(conditions);
  }
  return v1;
}

function cpuUtilization(percent: number): JsonObject {
  return {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
  };
}

function cpuUtilizationOf(metric: JsonObject): number | undefined {
  if (textAt(metric, 'type') !== 'Resource' || textAt(metric, 'resource', 'name') !== 'cpu') return undefined;
  return numberAt(metric, 'resource', 'target', 'averageUtilization');
}

function withoutCarried(metadata: ObjectMeta): ObjectMeta {
  const present = metadata.annotations;
  if (present === undefined || !annotations.some((key) => key in present)) return metadata;
  const kept: Annotations = {};
  for (const key in present) if (!annotations.includes(key)) kept[key] = present[key]!;
  const { annotations: _dropped, ...rest } = metadata;
  return Object.keys(kept).length === 0 ? rest : { ...rest, annotations: kept };
}

function parsed(text: string | undefined): JsonValue | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeJsonText(text);
  } catch {
    return undefined; // as Kubernetes: an annotation that does not decode is dropped
  }
}

function parsedList(text: string | undefined): JsonObject[] {
  const value = parsed(text);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** The behavior annotation holds Go's internal type, whose fields have no JSON names: `ScaleUp`, `StabilizationWindowSeconds`. */
function lowerCamelKeys(value: JsonObject): JsonObject {
  return mapKeys(value, (key) => key[0]!.toLowerCase() + key.slice(1));
}

function upperCamelKeys(value: JsonObject): JsonObject {
  return mapKeys(value, (key) => key[0]!.toUpperCase() + key.slice(1));
}

/** Both directions and all of their fields in the order of Go's type, which prints what is absent as null. */
function behaviorToV1(behavior: JsonObject): JsonObject {
  const rules = upperCamelKeys(behavior);
  const made: JsonObject = {};
  for (const direction of ['ScaleUp', 'ScaleDown']) {
    const given = objectAt(rules, direction);
    made[direction] = given === undefined ? null : { ...noRules, ...given };
  }
  return made;
}

const noRules = { StabilizationWindowSeconds: null, SelectPolicy: null, Policies: null, Tolerance: null };

function mapKeys(value: JsonObject, rename: (key: string) => string): JsonObject {
  const renamed: JsonObject = {};
  for (const key in value) {
    const member = value[key];
    if (key === '' || member === null) continue;
    renamed[rename(key)] = Array.isArray(member)
      ? member.map((one) => (isJsonObject(one) ? mapKeys(one, rename) : one))
      : isJsonObject(member)
        ? mapKeys(member, rename)
        : member;
  }
  return renamed;
}
