import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import { objectAt, textAt, valueAt } from '../read.ts';

/** One field of a metric's source, in both versions. */
interface MetricField {
  readonly v1: string;
  readonly v2: readonly [field: string] | readonly [parent: string, field: string];
  /** What v1 says where v2 says nothing: its Go field is no pointer. */
  readonly v1Default?: string;
  /** The same the other way round. */
  readonly v2Default?: () => JsonValue;
}

/** By the source's field, which both versions call the same. In v1's order: so the annotation has them. */
type MetricFields = Readonly<Record<string, readonly MetricField[]>>;

const name: MetricField = { v1: 'name', v2: ['name'] };
const container: MetricField = { v1: 'container', v2: ['container'] };
const metricName: MetricField = {
  v1: 'metricName',
  v2: ['metric', 'name'],
  v1Default: '',
  v2Default: () => '',
};
const selector: MetricField = { v1: 'selector', v2: ['metric', 'selector'] };
const metricSelector: MetricField = { v1: 'metricSelector', v2: ['metric', 'selector'] };
const describedObject: MetricField = { v1: 'target', v2: ['describedObject'], v2Default: () => ({}) };

const resourceTarget: readonly MetricField[] = [
  name,
  { v1: 'targetAverageUtilization', v2: ['target', 'averageUtilization'] },
  { v1: 'targetAverageValue', v2: ['target', 'averageValue'] },
  container,
];

const specFields: MetricFields = {
  resource: resourceTarget,
  containerResource: resourceTarget,
  pods: [metricName, { v1: 'targetAverageValue', v2: ['target', 'averageValue'], v1Default: '0' }, selector],
  object: [
    describedObject,
    metricName,
    { v1: 'targetValue', v2: ['target', 'value'], v1Default: '0' },
    selector,
    { v1: 'averageValue', v2: ['target', 'averageValue'] },
  ],
  external: [
    metricName,
    metricSelector,
    { v1: 'targetValue', v2: ['target', 'value'] },
    { v1: 'targetAverageValue', v2: ['target', 'averageValue'] },
  ],
};

const resourceCurrent: readonly MetricField[] = [
  name,
  container,
  { v1: 'currentAverageUtilization', v2: ['current', 'averageUtilization'] },
  { v1: 'currentAverageValue', v2: ['current', 'averageValue'], v1Default: '0' },
];

const statusFields: MetricFields = {
  resource: resourceCurrent,
  containerResource: resourceCurrent,
  pods: [
    metricName,
    { v1: 'currentAverageValue', v2: ['current', 'averageValue'], v1Default: '0' },
    selector,
  ],
  object: [
    describedObject,
    metricName,
    { v1: 'currentValue', v2: ['current', 'value'], v1Default: '0' },
    selector,
    { v1: 'averageValue', v2: ['current', 'averageValue'] },
  ],
  external: [
    metricName,
    metricSelector,
    { v1: 'currentValue', v2: ['current', 'value'], v1Default: '0' },
    { v1: 'currentAverageValue', v2: ['current', 'averageValue'] },
  ],
};

/** `type` of a target, which v1 does not tell, from the values that it has. */
const targetTypes: Readonly<Record<string, (target: JsonObject) => string>> = {
  resource: utilizationOrValue,
  containerResource: utilizationOrValue,
  pods: () => 'AverageValue',
  object: ({ averageValue }) => (averageValue === undefined ? 'Value' : 'AverageValue'),
  external: ({ value }) => (value === undefined ? 'AverageValue' : 'Value'),
};

function utilizationOrValue({ averageUtilization }: JsonObject): string {
  return averageUtilization === undefined ? 'AverageValue' : 'Utilization';
}

/** One of `spec.metrics`. Source of all four: Kubernetes' pkg/apis/autoscaling/v1/conversion.go. */
export function specMetricToV2(metric: JsonObject): JsonObject {
  const converted = toV2(metric, specFields, 'target');
  for (const [source, typeOf] of Object.entries(targetTypes)) {
    const target = objectAt(converted, source, 'target');
    if (target === undefined) continue;
    if (source === 'object') dropImpliedValue(target);
    target['type'] = typeOf(target);
  }
  return converted;
}

export function specMetricToV1(metric: JsonObject): JsonObject {
  return toV1(metric, specFields);
}

/** One of `status.currentMetrics`. */
export function statusMetricToV2(metric: JsonObject): JsonObject {
  return toV2(metric, statusFields, 'current');
}

export function statusMetricToV1(metric: JsonObject): JsonObject {
  return toV1(metric, statusFields);
}

/** v1 has a value beside every average, zero where there is none. */
function dropImpliedValue(target: JsonObject): void {
  if (target['averageValue'] === undefined) target['value'] ??= '0';
  else if (isZero(target['value'])) delete target['value'];
}

function isZero(quantity: JsonValue | undefined): boolean {
  return quantity === undefined || quantity === '0' || quantity === 0 || quantity === '';
}

/** `values` is the object that each source has in v2, be it empty. */
function toV2(metric: JsonObject, fields: MetricFields, values: string): JsonObject {
  const converted: JsonObject = { type: textAt(metric, 'type') };
  for (const [source, rows] of Object.entries(fields)) {
    const v1 = objectAt(metric, source);
    if (v1 === undefined) continue;
    const v2: JsonObject = { [values]: {} };
    for (const row of rows) {
      const value = v1[row.v1] ?? row.v2Default?.();
      if (value !== undefined) put(v2, row.v2, value);
    }
    converted[source] = v2;
  }
  return converted;
}

function toV1(metric: JsonObject, fields: MetricFields): JsonObject {
  const converted: JsonObject = { type: textAt(metric, 'type') };
  for (const [source, rows] of Object.entries(fields)) {
    const v2 = objectAt(metric, source);
    if (v2 === undefined) continue;
    const v1: JsonObject = {};
    for (const row of rows) {
      const value = valueAt(v2, ...row.v2) ?? row.v1Default;
      if (value !== undefined) v1[row.v1] = value;
    }
    converted[source] = v1;
  }
  return converted;
}

function put(v2: JsonObject, [parent, field]: MetricField['v2'], value: JsonValue): void {
  if (field === undefined) {
    v2[parent] = value;
    return;
  }
  const inner = v2[parent];
  if (isJsonObject(inner)) inner[field] = value;
  else v2[parent] = { [field]: value };
}
