import { otherNamespace } from '#apimachinery/api-error.ts';
import { cloneJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import { acceptObject } from '../verbs/decode-body.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AdmissionAttributes } from './admission.ts';
import { inVersion } from './request-view.ts';

/**
 * Puts an object that a mutation made, in some version of its resource, into the place of the one that the request goes
 * on with: pruned and defaulted as a body would be. Which object it is cannot be changed.
 */
export function replaceObject(
  { context, object }: AdmissionAttributes,
  version: ResourceVersion,
  made: KubeObject,
): void {
  if (object === undefined) return;
  const { served } = context;
  const copy = cloneJson(made);
  const back =
    version === served.version
      ? copy
      : inVersion(copy, { ...context, served: { ...served, version } }, served.version);
  const { uid, resourceVersion, namespace } = object.metadata;
  const where = copy.metadata?.namespace ?? '';
  if (where !== '' && where !== (namespace ?? '')) {
    throw otherNamespace();
  }
  const accepted = acceptObject(back, [], {
    workspace: context.workspace as Workspace,
    served,
    fieldValidation: 'Ignore',
    warnings: [],
  });
  for (const key in object) delete object[key];
  Object.assign(object, accepted);
  if (uid !== undefined) object.metadata.uid = uid;
  if (namespace !== undefined) object.metadata.namespace = namespace;
  if (resourceVersion === undefined) delete object.metadata.resourceVersion;
  else object.metadata.resourceVersion = resourceVersion;
}
