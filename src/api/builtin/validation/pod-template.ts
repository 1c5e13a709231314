import { forbiddenField, invalid, notSupported } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import {
  byKey,
  checkAnnotations,
  checkLabels,
  type Errors,
  isEmptySelector,
  plainlyMatches,
  selectorMatches,
} from './common.ts';
import { checkAnnotatedProfiles, checkPodAnnotations } from './pod-annotations.ts';
import { checkPodSpec } from './pod-spec.ts';

/** core ValidatePodTemplateSpec. */
export function checkPodTemplate(errors: Errors, path: string, template: JsonObject): void {
  const metadata = objectAt(template, 'metadata');
  const spec = objectAt(template, 'spec') ?? {};
  checkLabels(errors, `${path}.labels`, objectAt(metadata, 'labels'));
  checkAnnotations(errors, `${path}.annotations`, objectAt(metadata, 'annotations'));
  const annotations = objectAt(metadata, 'annotations');
  checkPodAnnotations(errors, `${path}.annotations`, annotations, spec);
  checkPodSpec(errors, `${path}.spec`, spec, undefined);
  checkAnnotatedProfiles(errors, `${path}.spec`, annotations, spec);
  if (objectsAt(spec, 'ephemeralContainers').length > 0) {
    errors.push(
      forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
  }
}

/** What a controller's template must further hold: the selector's labels, pods that are restarted, no deadline. */
export function checkControllerTemplate(
  errors: Errors,
  path: string,
  template: JsonObject,
  selector: JsonObject | undefined,
  kind: string,
): void {
  const labels = objectAt(template, 'metadata', 'labels');
  // Those of ReplicationControllers are plain labels, of which nobody asks whether they may be any (ValidatePodTemplateSpecForRC).
  const matches = kind === 'ReplicationController' ? plainlyMatches : selectorMatches;
  // An absent selector selects nothing, an empty one is told of as such.
  if (selector === undefined || (!isEmptySelector(selector) && matches(selector, labels) === false)) {
    errors.push(
      invalid(`${path}.metadata.labels`, byKey(labels), '`selector` does not match template `labels`'),
    );
  }
  checkPodTemplate(errors, path, template);
  const restartPolicy = textAt(template, 'spec', 'restartPolicy');
  if (restartPolicy !== 'Always') {
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']));
  }
  if (valueAt(template, 'spec', 'activeDeadlineSeconds') !== undefined) {
    errors.push(
      forbiddenField(
        `${path}.spec.activeDeadlineSeconds`,
        `activeDeadlineSeconds in ${kind} is not Supported`,
      ),
    );
  }
}
