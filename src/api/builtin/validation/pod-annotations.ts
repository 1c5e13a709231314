import { forbiddenField, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { appArmorPrefix, seccompPod, seccompPrefix } from '../pod-annotation-keys.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';
import type { Errors } from './common.ts';

type Annotations = { readonly [key: string]: unknown } | undefined;

/** Of a static pod, whose spec is its node's. */
export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';
const localhost = 'localhost/';
const containerLists = ['initContainers', 'containers', 'ephemeralContainers'] as const;
const int32Pattern = /^(0|-\d+|[1-9]\d*)$/;

/**
 * What annotations say that Kubernetes itself reads (core ValidatePodSpecificAnnotations). `path`: of the annotations;
 * what stands in `old` as well may stay.
 */
export function checkPodAnnotations(
  errors: Errors,
  path: string,
  annotations: Annotations,
  spec: JsonObject,
  old?: Annotations,
): void {
  for (const key in annotations) {
    if (old?.[key] === annotations[key]) continue;
    const value = String(annotations[key]);
    const at = `${path}[${key}]`;
    if (key === mirrorAnnotation) {
      if (textAt(spec, 'nodeName') === '')
        errors.push(invalid(at, value, 'must set spec.nodeName if mirror pod annotation is set'));
    } else if (key === deletionCost) {
      if (!isInt32(value)) errors.push(invalid(at, value, 'must be a 32bit integer'));
    } else if (key === seccompPod || key.startsWith(seccompPrefix)) {
      checkSeccompProfile(errors, `${path}.${key}`, value);
    } else if (key.startsWith(appArmorPrefix)) {
      const name = key.slice(appArmorPrefix.length);
      const isThere = containerLists.some((list) =>
        objectsAt(spec, list).some((container) => textAt(container, 'name') === name),
      );
      if (!isThere) errors.push(invalid(at, name, 'container not found'));
      if (!isAppArmorProfile(value))
        errors.push(invalid(at, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
    }
  }
}

/** Who was told in an annotation what to run under stays so (core ValidatePodSpecificAnnotationUpdates). */
export function checkPodAnnotationChange(
  errors: Errors,
  path: string,
  annotations: Annotations,
  old: Annotations,
): void {
  const refuse = (key: string, verb: string) => {
    if (key.startsWith(appArmorPrefix))
      errors.push(forbiddenField(`${path}[${key}]`, `may not ${verb} AppArmor annotations`));
    if (key === mirrorAnnotation)
      errors.push(forbiddenField(`${path}[${key}]`, `may not ${verb} mirror pod annotation`));
  };
  for (const key in old) if (annotations?.[key] !== old[key]) refuse(key, 'remove or update');
  for (const key in annotations) if (old?.[key] === undefined) refuse(key, 'add');
}

/**
 * Profiles that are given twice, in annotations and in fields, must be the same (core validateSeccompAnnotationsAndFields,
 * validateAppArmorAnnotationsAndFieldsMatchOnCreate). `path`: of the spec.
 */
export function checkAnnotatedProfiles(
  errors: Errors,
  path: string,
  annotations: Annotations,
  spec: JsonObject,
): void {
  if (!hasProfiles(annotations)) return;
  const podContext = objectAt(spec, 'securityContext');
  checkSame(
    errors,
    'seccomp',
    `${path}.securityContext.seccompProfile`,
    annotations[seccompPod],
    objectAt(podContext, 'seccompProfile'),
  );
  const isWindows = textAt(spec, 'os', 'name') === 'windows';
  for (const list of containerLists) {
    objectsAt(spec, list).forEach((container, i) => {
      const at = `${path}.${list}[${i}].securityContext`;
      const name = textAt(container, 'name');
      const context = objectAt(container, 'securityContext');
      const seccomp = annotations[`${seccompPrefix}${name}`];
      checkSame(errors, 'seccomp', `${at}.seccompProfile`, seccomp, objectAt(context, 'seccompProfile'));
      if (isWindows) return;
      const profile = objectAt(context, 'appArmorProfile') ?? objectAt(podContext, 'appArmorProfile');
      checkSame(
        errors,
        'apparmor',
        `${at}.appArmorProfile`,
        annotations[`${appArmorPrefix}${name}`],
        profile,
      );
    });
  }
}

function hasProfiles(annotations: Annotations): annotations is { readonly [key: string]: unknown } {
  for (const key in annotations)
    if (key === seccompPod || key.startsWith(seccompPrefix) || key.startsWith(appArmorPrefix)) return true;
  return false;
}

function checkSame(
  errors: Errors,
  what: 'seccomp' | 'apparmor',
  path: string,
  annotation: unknown,
  profile: JsonObject | undefined,
): void {
  if (typeof annotation !== 'string' || profile === undefined) return;
  const isType = () => {
    switch (profile['type']) {
      case 'Unconfined':
        return annotation === 'unconfined';
      case 'RuntimeDefault':
        return annotation === 'runtime/default' || (what === 'seccomp' && annotation === 'docker/default');
      case 'Localhost':
        return annotation.startsWith(localhost);
      default:
        return true;
    }
  };
  if (!isType()) {
    errors.push(forbiddenField(`${path}.type`, `${what} type in annotation and field must match`));
  } else if (
    profile['type'] === 'Localhost' &&
    annotation.slice(localhost.length) !== profile['localhostProfile']
  ) {
    errors.push(
      forbiddenField(`${path}.localhostProfile`, `${what} profile in annotation and field must match`),
    );
  }
}

function checkSeccompProfile(errors: Errors, at: string, value: string): void {
  if (value === 'runtime/default' || value === 'docker/default' || value === 'unconfined') return;
  if (!value.startsWith(localhost)) {
    errors.push(invalid(at, value, 'must be a valid seccomp profile'));
    return;
  }
  const file = value.slice(localhost.length);
  if (file.startsWith('/')) errors.push(invalid(at, file, 'must be a relative path'));
  if (file.split('/').includes('..')) errors.push(invalid(at, file, "must not contain '..'"));
}

function isAppArmorProfile(value: string): boolean {
  return value === '' || value === 'runtime/default' || value === 'unconfined' || value.startsWith(localhost);
}

function isInt32(text: string): boolean {
  return int32Pattern.test(text) && (Number(text) | 0) === Number(text);
}
