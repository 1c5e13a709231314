import { forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { cloneJson, equalJson, type JsonObject } from '#apimachinery/json.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import type { Errors } from './common.ts';
import { checkImages } from './containers.ts';
import { checkTolerations } from './scheduling.ts';

/** Ephemeral containers may only be added. */
export function checkEphemeralUpdate(errors: Errors, spec: JsonObject, before: JsonObject): void {
  const now = new Map(objectsAt(spec, 'ephemeralContainers').map((one) => [textAt(one, 'name'), one]));
  for (const container of objectsAt(before, 'ephemeralContainers')) {
    const name = textAt(container, 'name');
    const kept = now.get(name);
    const quoted = JSON.stringify(name);
    if (kept === undefined) {
      const why = `existing ephemeral containers ${quoted} may not be removed\n`;
      errors.push(forbiddenField('spec.ephemeralContainers', why));
    } else if (!equalJson(kept, container)) {
      const why = `existing ephemeral containers ${quoted} may not be changed\n`;
      errors.push(forbiddenField('spec.ephemeralContainers', why));
    }
  }
}

const updatable =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** What may change of the spec of a pod that exists, and how far. */
export function checkSpecUpdate(errors: Errors, spec: JsonObject, before: JsonObject): void {
  for (const field of ['containers', 'initContainers']) {
    if (objectsAt(spec, field).length !== objectsAt(before, field).length) {
      errors.push(forbiddenField(`spec.${field}`, 'pod updates may not add or remove containers'));
      return;
    }
    // Once more than of any spec, and before the next kind of containers is counted (ValidateContainerUpdates).
    objectsAt(spec, field).forEach((container, i) => {
      if (textAt(container, 'image') === '') errors.push(required(`spec.${field}[${i}].image`));
    });
    checkImages(errors, 'spec', spec, [field]);
  }
  const deadline = numberAt(spec, 'activeDeadlineSeconds');
  const oldDeadline = numberAt(before, 'activeDeadlineSeconds');
  if (deadline !== undefined && oldDeadline !== undefined && oldDeadline < deadline) {
    errors.push(
      invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value'),
    );
    return;
  } else if (deadline === undefined && oldDeadline !== undefined) {
    const why = 'must not update from a positive integer to nil value';
    errors.push(invalid('spec.activeDeadlineSeconds', null, why));
  }
  checkTolerationsUpdate(errors, spec, before);
  const gates = new Set(objectsAt(before, 'schedulingGates').map((gate) => textAt(gate, 'name')));
  objectsAt(spec, 'schedulingGates').forEach((gate, i) => {
    const name = textAt(gate, 'name');
    if (gates.has(name)) return;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbiddenField(`spec.schedulingGates[${i}].name`, why));
  });
  if (
    equalJson(spec, before) ||
    equalJson(immutablePart(spec, before, gates.size > 0), immutablePart(before, before, false))
  ) {
    return;
  }
  errors.push(forbiddenField('spec', `pod updates may not change fields other than ${updatable}\n`));
}

/** Those that are new are looked at once more than with the whole spec (validateOnlyAddedTolerations). */
function checkTolerationsUpdate(errors: Errors, spec: JsonObject, before: JsonObject): void {
  const tolerations = objectsAt(spec, 'tolerations').map(withoutSeconds);
  const isKept = (one: JsonObject) => tolerations.some((other) => equalJson(other, withoutSeconds(one)));
  if (objectsAt(before, 'tolerations').every(isKept)) checkTolerations(errors, 'spec.tolerations', spec);
  else {
    const why = 'existing toleration can not be modified except its tolerationSeconds';
    errors.push(forbiddenField('spec.tolerations', why));
  }
}

function withoutSeconds(toleration: JsonObject): JsonObject {
  const { tolerationSeconds: _seconds, ...rest } = toleration;
  return rest;
}

/** The spec with what may change made as it was. A gated pod may also be told where to run, more narrowly. */
function immutablePart(spec: JsonObject, before: JsonObject, isGated: boolean): JsonObject {
  const part = cloneJson(spec);
  for (const field of ['containers', 'initContainers']) {
    const old = objectsAt(before, field);
    objectsAt(part, field).forEach((container, i) => {
      container['image'] = old[i]?.['image'];
    });
  }
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations'])
    part[field] = before[field];
  const grace = numberAt(before, 'terminationGracePeriodSeconds');
  if (grace !== undefined && grace < 0 && numberAt(part, 'terminationGracePeriodSeconds') === 1) {
    part['terminationGracePeriodSeconds'] = grace;
  }
  if (!isGated) return part;
  const selector = objectAt(before, 'nodeSelector') ?? {};
  const narrowed = Object.keys(selector).every((key) => valueAt(spec, 'nodeSelector', key) === selector[key]);
  if (narrowed) part['nodeSelector'] = before['nodeSelector'];
  if (objectAt(before, 'affinity', 'nodeAffinity') === undefined) {
    const { nodeAffinity: _added, ...affinity } = objectAt(part, 'affinity') ?? {};
    const had = before['affinity'] !== undefined;
    part['affinity'] = had || Object.keys(affinity).length > 0 ? affinity : undefined;
  }
  return part;
}
