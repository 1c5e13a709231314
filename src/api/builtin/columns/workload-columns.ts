import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  age,
  column,
  containerColumns,
  formatLabels,
  formatSelector,
  name,
  selectorText,
  textColumn,
  textOr,
  wideColumn,
} from './column.ts';
import { ageOf, humanDuration } from './human-duration.ts';

const template = ['spec', 'template', 'spec'] as const;

const selector = wideColumn('Selector', (object) => formatSelector(objectAt(object, 'spec', 'selector')));

const integer = (title: string, ...path: string[]): Column =>
  column(title, (object) => numberAt(object, ...path) ?? 0, 'integer');

const readyOfDesired = column(
  'Ready',
  (object) =>
    `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`,
);

/** Columns of apps, batch, autoscaling and policy (source: Kubernetes' pkg/printers/internalversion/printers.go). */
export const workloadColumns: { readonly [groupResource: string]: readonly Column[] } = {
  'deployments.apps': [
    name,
    readyOfDesired,
    column('Up-to-date', (object) => numberAt(object, 'status', 'updatedReplicas') ?? 0),
    column('Available', (object) => numberAt(object, 'status', 'availableReplicas') ?? 0),
    age,
    ...containerColumns(...template),
    wideColumn('Selector', (object) => selectorText(objectAt(object, 'spec', 'selector'))),
  ],
  'replicasets.apps': [
    name,
    integer('Desired', 'spec', 'replicas'),
    integer('Current', 'status', 'replicas'),
    integer('Ready', 'status', 'readyReplicas'),
    age,
    ...containerColumns(...template),
    selector,
  ],
  'statefulsets.apps': [name, readyOfDesired, age, ...containerColumns(...template)],
  'daemonsets.apps': [
    name,
    integer('Desired', 'status', 'desiredNumberScheduled'),
    integer('Current', 'status', 'currentNumberScheduled'),
    integer('Ready', 'status', 'numberReady'),
    integer('Up-to-date', 'status', 'updatedNumberScheduled'),
    integer('Available', 'status', 'numberAvailable'),
    column('Node Selector', (object) =>
      formatLabels(valueAt(object, 'spec', 'template', 'spec', 'nodeSelector')),
    ),
    age,
    ...containerColumns(...template),
    selector,
  ],
  'controllerrevisions.apps': [
    name,
    column('Controller', controllerName),
    column('Revision', (object) => numberAt(object, 'revision') ?? 0),
    age,
  ],
  'jobs.batch': [
    name,
    column('Status', jobStatus),
    column('Completions', jobCompletions),
    column('Duration', jobDuration),
    age,
    ...containerColumns(...template),
    selector,
  ],
  'cronjobs.batch': [
    name,
    textColumn('Schedule', 'spec', 'schedule'),
    column('Timezone', (object) => textOr(textAt(object, 'spec', 'timeZone'), '<none>')),
    column(
      'Suspend',
      (object) => {
        const suspend = booleanAt(object, 'spec', 'suspend');
        return suspend === undefined ? '<unset>' : suspend ? 'True' : 'False';
      },
      'boolean',
    ),
    column('Active', (object) => objectsAt(object, 'status', 'active').length, 'integer'),
    column('Last Schedule', (object, now) => {
      const last = textAt(object, 'status', 'lastScheduleTime');
      return last === '' ? '<none>' : ageOf(last, now);
    }),
    age,
    ...containerColumns('spec', 'jobTemplate', 'spec', 'template', 'spec'),
    wideColumn('Selector', (object) =>
      formatSelector(objectAt(object, 'spec', 'jobTemplate', 'spec', 'selector')),
    ),
  ],
  'horizontalpodautoscalers.autoscaling': [
    name,
    column(
      'Reference',
      (object) =>
        `${textAt(object, 'spec', 'scaleTargetRef', 'kind')}/${textAt(object, 'spec', 'scaleTargetRef', 'name')}`,
    ),
    column('Targets', hpaTargets),
    column('MinPods', (object) => {
      const min = numberAt(object, 'spec', 'minReplicas');
      return min === undefined ? '<unset>' : String(min);
    }),
    column('MaxPods', (object) => numberAt(object, 'spec', 'maxReplicas') ?? 0),
    column('Replicas', (object) => numberAt(object, 'status', 'currentReplicas') ?? 0),
    age,
  ],
  'poddisruptionbudgets.policy': [
    name,
    column('Min Available', (object) => intOrString(valueAt(object, 'spec', 'minAvailable'))),
    column('Max Unavailable', (object) => intOrString(valueAt(object, 'spec', 'maxUnavailable'))),
    integer('Allowed Disruptions', 'status', 'disruptionsAllowed'),
    age,
  ],
};

function intOrString(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'N/A';
}

function controllerName(object: KubeObject): string {
  const owner = object.metadata.ownerReferences?.find((one) => one.controller === true);
  if (owner === undefined) return '<none>';
  const group = parseApiVersion(owner.apiVersion)?.group ?? '';
  return `${owner.kind}${group === '' ? '' : `.${group}`}`.toLowerCase().concat('/', owner.name);
}

function jobStatus(job: KubeObject): string {
  const conditions = objectsAt(job, 'status', 'conditions');
  const has = (type: string) => conditions.find((one) => one['type'] === type)?.['status'] === 'True';
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (has(type)) return type;
  return 'Running';
}

function jobCompletions(job: KubeObject): string {
  const succeeded = numberAt(job, 'status', 'succeeded') ?? 0;
  const completions = numberAt(job, 'spec', 'completions');
  if (completions !== undefined) return `${succeeded}/${completions}`;
  const parallelism = numberAt(job, 'spec', 'parallelism') ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: KubeObject, now: Date): string {
  const start = textAt(job, 'status', 'startTime');
  if (start === '') return '';
  const completion = textAt(job, 'status', 'completionTime');
  const endMs = completion === '' ? now.getTime() : Date.parse(completion);
  return humanDuration(endMs - Date.parse(start));
}

/** `cpu: 12%/80%, memory: …`, two metrics at most (formatHPAMetrics), of an autoscaling/v2 object. */
function hpaTargets(hpa: KubeObject): string {
  const max = 2;
  const specs = objectsAt(hpa, 'spec', 'metrics');
  if (specs.length === 0) return '<none>';
  const statuses = objectsAt(hpa, 'status', 'currentMetrics');
  const list = specs.map((spec, i) => hpaTarget(spec, statuses[i]));
  const shown = list.slice(0, max).join(', ');
  return list.length > max ? `${shown} + ${list.length - max} more...` : shown;
}

function hpaTarget(spec: JsonObject, status: JsonObject | undefined): string {
  const show = (value: JsonValue | undefined, otherwise = '<unknown>') =>
    value === undefined ? otherwise : String(value);
  switch (textAt(spec, 'type')) {
    case 'External':
      return valueOrAverage(objectAt(spec, 'external', 'target'), objectAt(status, 'external', 'current'));
    case 'Object':
      return valueOrAverage(objectAt(spec, 'object', 'target'), objectAt(status, 'object', 'current'));
    case 'Pods':
      return `${show(valueAt(status, 'pods', 'current', 'averageValue'))}/${show(valueAt(spec, 'pods', 'target', 'averageValue'))}`;
    case 'Resource':
      return resourceTarget(objectAt(spec, 'resource'), objectAt(status, 'resource'));
    case 'ContainerResource':
      return resourceTarget(objectAt(spec, 'containerResource'), objectAt(status, 'containerResource'));
    default:
      return '<unknown type>';
  }
}

function valueOrAverage(target: JsonObject | undefined, current: JsonObject | undefined): string {
  const show = (value: JsonValue | undefined) => (value === undefined ? '<unknown>' : String(value));
  const average = valueAt(target, 'averageValue');
  return average === undefined
    ? `${show(valueAt(current, 'value'))}/${show(valueAt(target, 'value'))}`
    : `${show(valueAt(current, 'averageValue'))}/${String(average)} (avg)`;
}

function resourceTarget(spec: JsonObject | undefined, status: JsonObject | undefined): string {
  const resource = textAt(spec, 'name');
  const average = valueAt(spec, 'target', 'averageValue');
  if (average !== undefined) {
    return `${resource}: ${String(valueAt(status, 'current', 'averageValue') ?? '<unknown>')}/${String(average)}`;
  }
  const percent = (value: number | undefined, otherwise: string) =>
    value === undefined ? otherwise : `${value}%`;
  const current = percent(numberAt(status, 'current', 'averageUtilization'), '<unknown>');
  return `${resource}: ${current}/${percent(numberAt(spec, 'target', 'averageUtilization'), '<auto>')}`;
}
