import { forbiddenField, invalid } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';
import { podQos } from '../strategies/pod-qos.ts';
import type { Errors } from './common.ts';
import { mirrorAnnotation } from './pod-annotations.ts';

const lists = ['requests', 'limits'] as const;
const resizable = ['cpu', 'memory'] as const;

/** What a resize may change of a pod (KEP-1287; core ValidatePodResize). The path `[]` is Kubernetes' own. */
export function checkResize(errors: Errors, pod: KubeObject, old: KubeObject): void {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    errors.splice(0, errors.length, forbiddenField('[]', 'static pods cannot be resized'));
    return;
  }
  if (textAt(old, 'spec', 'os', 'name') === 'windows') {
    errors.splice(0, errors.length, forbiddenField('[]', 'windows pods cannot be resized'));
    return;
  }
  const shown = textAt(pod, 'status', 'qosClass');
  if ((textAt(old, 'status', 'qosClass') || podQos(old)) !== podQos(pod)) {
    errors.push(invalid('spec', shown, 'Pod QOS Class may not change as a result of resizing'));
  }
  if (!isSupported(old)) {
    errors.push(forbiddenField('spec', 'Pod running on node without support for resize'));
  }
  checkPodLevel(errors, objectAt(pod, 'spec', 'resources'), objectAt(old, 'spec', 'resources'));
  const isOrdered = (['containers', 'initContainers'] as const).map((field) =>
    checkOrder(errors, objectsAt(pod, 'spec', field), objectsAt(old, 'spec', field), field),
  );
  if (isOrdered.includes(false)) return;
  checkContainers(errors, pod, old, 'initContainers');
  checkContainers(errors, pod, old, 'containers');
}

function checkOrder(
  errors: Errors,
  now: readonly JsonObject[],
  then: readonly JsonObject[],
  field: string,
): boolean {
  if (now.length !== then.length) {
    errors.push(forbiddenField(`spec.${field}`, `${field} may not be added or removed on resize`));
    return false;
  }
  let isSame = true;
  then.forEach((container, i) => {
    if (textAt(now[i] ?? {}, 'name') === textAt(container, 'name')) return;
    isSame = false;
    errors.push(
      forbiddenField(`spec.${field}[${i}].name`, `${field} may not be renamed or reordered on resize`),
    );
  });
  return isSame;
}

/** A kubelet that does not resize tells no resources of a container that runs. */
function isSupported(old: KubeObject): boolean {
  const running = objectsAt(old, 'status', 'containerStatuses').find(
    (status) => objectAt(status, 'state', 'running') !== undefined,
  );
  return running === undefined || objectAt(running, 'resources') !== undefined;
}

function checkPodLevel(errors: Errors, now: JsonObject | undefined, then: JsonObject | undefined): void {
  if (now === undefined) {
    if (then !== undefined)
      errors.push(forbiddenField('spec.resources', 'pod-level resources cannot be removed'));
    return;
  }
  for (const list of lists) {
    if (!hasRemoved(objectAt(now, list), objectAt(then, list))) continue;
    errors.push(forbiddenField(`spec.resources.${list}`, `pod-level resource ${list} cannot be removed`));
  }
  if (!equalJson(others(now), others(then))) {
    errors.push(forbiddenField('spec', 'only cpu and memory resources are mutable at pod-level'));
  }
}

function checkContainers(
  errors: Errors,
  pod: KubeObject,
  old: KubeObject,
  field: 'containers' | 'initContainers',
): void {
  const before = objectsAt(old, 'spec', field);
  objectsAt(pod, 'spec', field).forEach((container, i) => {
    const then = before[i] ?? {};
    const at = `spec.${field}[${i}]`;
    for (const list of lists) {
      const removed = hasRemoved(objectAt(container, 'resources', list), objectAt(then, 'resources', list));
      if (removed)
        errors.push(forbiddenField(`${at}.resources.${list}`, `resource ${list} cannot be removed`));
    }
    if (!equalJson(withoutAmounts(container, false), withoutAmounts(then, true))) {
      errors.push(
        field === 'containers'
          ? forbiddenField('spec', 'only cpu and memory resources are mutable')
          : forbiddenField(at, 'only cpu and memory resources for init or sidecar containers are mutable'),
      );
    }
    if (field === 'initContainers') checkRestart(errors, at, container, then);
  });
}

/** An init container that ends cannot be restarted for its resources. */
function checkRestart(errors: Errors, at: string, container: JsonObject, then: JsonObject): void {
  if (textAt(container, 'restartPolicy') === 'Always' || equalJson(container, then)) return;
  for (const policy of objectsAt(container, 'resizePolicy')) {
    if (textAt(policy, 'restartPolicy') !== 'RestartContainer') continue;
    const why = 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized';
    errors.push(forbiddenField(at, why));
  }
}

function hasRemoved(now: JsonObject | undefined, then: JsonObject | undefined): boolean {
  for (const name in then) if (now === undefined || !Object.hasOwn(now, name)) return true;
  return false;
}

/** A container without its cpu and memory. One that claims devices cannot be resized: of the new state claims never count. */
function withoutAmounts(container: JsonObject, keepsClaims: boolean): JsonObject {
  const { resources: _, ...rest } = container;
  const { claims, ...amounts } = others(objectAt(container, 'resources'));
  return { ...rest, ...amounts, ...(keepsClaims && claims !== undefined ? { claims } : {}) };
}

/** Resources without cpu and memory; lists that hold nothing else are left out. */
function others(resources: JsonObject | undefined): JsonObject {
  const left: { [key: string]: JsonObject[string] } = { ...resources };
  for (const list of lists) {
    const amounts: { [key: string]: JsonObject[string] } = { ...objectAt(resources, list) };
    for (const name of resizable) delete amounts[name];
    if (Object.keys(amounts).length === 0) delete left[list];
    else left[list] = amounts;
  }
  return left;
}
