import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt } from '../read.ts';
import { age, column, name, textOr, wideColumn } from './column.ts';
import { ageOf } from './human-duration.ts';

interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: number;
  /** RFC 3339 text of the latest restart, '' when unknown. */
  readonly lastRestart: string;
}

/** A pod as `kubectl get pods` shows it (source: printPod in Kubernetes' pkg/printers/internalversion). */
export const podColumns: readonly Column[] = [
  name,
  column('Ready', (pod) => summaryOf(pod).ready),
  column('Status', (pod) => summaryOf(pod).status),
  column('Restarts', (pod, now) => {
    const { restarts, lastRestart } = summaryOf(pod);
    return restarts !== 0 && lastRestart !== ''
      ? `${restarts} (${ageOf(lastRestart, now)} ago)`
      : String(restarts);
  }),
  age,
  wideColumn('IP', (pod) => textOr(textAt(objectsAt(pod, 'status', 'podIPs')[0], 'ip'), '<none>')),
  wideColumn('Node', (pod) => textOr(textAt(pod, 'spec', 'nodeName'), '<none>')),
  wideColumn('Nominated Node', (pod) => textOr(textAt(pod, 'status', 'nominatedNodeName'), '<none>')),
  wideColumn('Readiness Gates', readinessGates),
];

/** Three columns read one summary: computed once per object. */
const summaries = new WeakMap<KubeObject, PodSummary>();

function summaryOf(pod: KubeObject): PodSummary {
  let summary = summaries.get(pod);
  if (summary === undefined) {
    summary = summarise(pod);
    summaries.set(pod, summary);
  }
  return summary;
}

function isRestartable(container: JsonObject | undefined): boolean {
  return textAt(container, 'restartPolicy') === 'Always';
}

function later(a: string, b: string): string {
  if (b === '') return a;
  return a === '' || Date.parse(a) < Date.parse(b) ? b : a;
}

function summarise(pod: KubeObject): PodSummary {
  const initContainers = new Map<string, JsonObject>();
  let total = objectsAt(pod, 'spec', 'containers').length;
  const initList = objectsAt(pod, 'spec', 'initContainers');
  for (const container of initList) {
    initContainers.set(textAt(container, 'name'), container);
    if (isRestartable(container)) total++;
  }
  const phase = textAt(pod, 'status', 'phase');
  const conditions = objectsAt(pod, 'status', 'conditions');
  let status = textOr(textAt(pod, 'status', 'reason'), phase);
  if (conditions.some((one) => one['type'] === 'PodScheduled' && one['reason'] === 'SchedulingGated')) {
    status = 'SchedulingGated';
  }

  let ready = 0;
  let restarts = 0;
  let sidecarRestarts = 0;
  let lastRestart = '';
  let lastSidecarRestart = '';
  let initializing = false;
  const initStatuses = objectsAt(pod, 'status', 'initContainerStatuses');
  for (let i = 0; i < initStatuses.length; i++) {
    const one = initStatuses[i]!;
    const sidecar = isRestartable(initContainers.get(textAt(one, 'name')));
    const finished = textAt(one, 'lastState', 'terminated', 'finishedAt');
    const count = numberAt(one, 'restartCount') ?? 0;
    restarts += count;
    lastRestart = later(lastRestart, finished);
    if (sidecar) {
      sidecarRestarts += count;
      lastSidecarRestart = later(lastSidecarRestart, finished);
    }
    const terminated = objectAt(one, 'state', 'terminated');
    if (terminated !== undefined && (numberAt(terminated, 'exitCode') ?? 0) === 0) continue;
    if (sidecar && booleanAt(one, 'started') === true) {
      if (booleanAt(one, 'ready') === true) ready++;
      continue;
    }
    const waiting = textAt(one, 'state', 'waiting', 'reason');
    if (terminated !== undefined) status = `Init:${terminatedReason(terminated)}`;
    else if (waiting !== '' && waiting !== 'PodInitializing') status = `Init:${waiting}`;
    else status = `Init:${i}/${initList.length}`;
    initializing = true;
    break;
  }

  const initialized = conditions.find((one) => one['type'] === 'Initialized')?.['status'] === 'True';
  if (!initializing || initialized) {
    restarts = sidecarRestarts;
    lastRestart = lastSidecarRestart;
    let running = false;
    let errorReason = '';
    const statuses = objectsAt(pod, 'status', 'containerStatuses');
    for (let i = statuses.length - 1; i >= 0; i--) {
      const one = statuses[i]!;
      restarts += numberAt(one, 'restartCount') ?? 0;
      lastRestart = later(lastRestart, textAt(one, 'lastState', 'terminated', 'finishedAt'));
      const waiting = textAt(one, 'state', 'waiting', 'reason');
      const terminated = objectAt(one, 'state', 'terminated');
      if (waiting !== '') status = waiting;
      else if (terminated !== undefined) {
        status = terminatedReason(terminated);
        if ((numberAt(terminated, 'exitCode') ?? 0) !== 0) errorReason = status;
      } else if (booleanAt(one, 'ready') === true && objectAt(one, 'state', 'running') !== undefined) {
        running = true;
        ready++;
      }
    }
    if (status === 'Completed') {
      const podReady = conditions.some((one) => one['type'] === 'Ready' && one['status'] === 'True');
      if (running && podReady) status = 'Running';
      else if (errorReason !== '') status = errorReason;
      else if (running) status = 'NotReady';
    }
  }

  if (pod.metadata.deletionTimestamp !== undefined) {
    if (textAt(pod, 'status', 'reason') === 'NodeLost') status = 'Unknown';
    else if (phase !== 'Failed' && phase !== 'Succeeded') status = 'Terminating';
  }
  return { ready: `${ready}/${total}`, status, restarts, lastRestart };
}

function terminatedReason(terminated: JsonObject): string {
  const reason = textAt(terminated, 'reason');
  if (reason !== '') return reason;
  const signal = numberAt(terminated, 'signal') ?? 0;
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, 'exitCode') ?? 0}`;
}

function readinessGates(pod: KubeObject): string {
  const gates = objectsAt(pod, 'spec', 'readinessGates');
  if (gates.length === 0) return '<none>';
  const conditions = objectsAt(pod, 'status', 'conditions');
  const open = gates.filter(
    (gate) => conditions.find((one) => one['type'] === gate['conditionType'])?.['status'] === 'True',
  );
  return `${open.length}/${gates.length}`;
}
