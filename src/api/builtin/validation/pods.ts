import { forbiddenField } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';
import type { Errors } from './common.ts';
import { checkImages } from './containers.ts';
import { checkAnnotatedProfiles, checkPodAnnotationChange, checkPodAnnotations } from './pod-annotations.ts';
import { checkResize } from './pod-resize.ts';
import { checkPodSpec } from './pod-spec.ts';
import { checkPodStatus } from './pod-status.ts';
import { checkEphemeralUpdate, checkSpecUpdate } from './pod-update.ts';
import type { PodMeta } from './volumes.ts';

function podMeta(pod: KubeObject): NonNullable<PodMeta> {
  const { name, annotations } = pod.metadata;
  return { ...(name === undefined ? {} : { name }), ...(annotations === undefined ? {} : { annotations }) };
}

function checkPod(errors: Errors, pod: KubeObject): JsonObject {
  const spec = objectAt(pod, 'spec') ?? {};
  checkPodSpec(errors, 'spec', spec, podMeta(pod));
  if (textAt(spec, 'serviceAccountName') === '') {
    objectsAt(spec, 'volumes').forEach((volume, i) => {
      objectsAt(volume, 'projected', 'sources').forEach((source, j) => {
        if (objectAt(source, 'serviceAccountToken') === undefined) return;
        errors.push(
          forbiddenField(
            `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          ),
        );
      });
    });
  }
  checkImages(errors, 'spec', spec, ['containers', 'initContainers']);
  return spec;
}

/** core ValidatePodCreate. */
export function validatePod(pod: KubeObject): Errors {
  const errors: Errors = [];
  const spec = checkPod(errors, pod);
  checkPodAnnotations(errors, 'metadata.annotations', pod.metadata.annotations, spec);
  checkAnnotatedProfiles(errors, 'spec', pod.metadata.annotations, spec);
  if (objectsAt(spec, 'ephemeralContainers').length > 0) {
    errors.push(forbiddenField('spec.ephemeralContainers', 'cannot be set on create'));
  }
  if (textAt(spec, 'nodeName') !== '' && objectsAt(spec, 'schedulingGates').length > 0) {
    errors.push(forbiddenField('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

/** core ValidatePodUpdate and those of its subresources. */
export function validatePodUpdate(pod: KubeObject, old: KubeObject, subresource: string): Errors {
  const errors: Errors = [];
  const { annotations } = pod.metadata;
  const formerly = old.metadata.annotations;
  checkPodAnnotationChange(errors, 'metadata.annotations', annotations, formerly);
  checkPodAnnotations(errors, 'metadata.annotations', annotations, objectAt(pod, 'spec') ?? {}, formerly);
  if (subresource === 'status') {
    checkPodStatus(errors, pod, old);
    return errors;
  }
  const spec = checkPod(errors, pod);
  const before = objectAt(old, 'spec') ?? {};
  if (subresource === 'ephemeralcontainers') checkEphemeralUpdate(errors, spec, before);
  else if (subresource === 'resize') checkResize(errors, pod, old);
  else if (subresource === '') checkSpecUpdate(errors, spec, before);
  return errors;
}
