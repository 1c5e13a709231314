import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import { cloneObject } from './clone-object.ts';
import { coercedForm, storageFormOf, toStorageVersion, untouchedMark } from './conversion.ts';
import { encodeStored } from './encode-stored.ts';
import { carriesClusterAnnotation, isInert, type Target } from './target.ts';

/** Encoded at once, but for kinds that a webhook converts (KUBERNETES.md R7). */
export function encodeConverted(
  target: Target,
  object: KubeObject,
  conversions: ConversionWebhooks | undefined,
): Buffer | Promise<Buffer> {
  const { definition } = target.served;
  if (definition.conversion === undefined || conversions === undefined) {
    return encodeObject(target, object);
  }
  const { workspace } = target;
  const apiVersion = formatApiVersion({
    group: definition.storedAs.group,
    version: definition.storageVersion,
  });
  const clusterId = carriesClusterAnnotation(workspace) ? workspace.id : undefined;
  return conversions.convert(definition, workspace.id, [object], apiVersion).then(([converted]) => {
    const stored = converted as KubeObject;
    if (isInert(workspace, definition)) {
      return encodeStored(stored, definition, untouchedMark, clusterId);
    }
    const form = coercedForm(stored === object ? cloneObject(stored) : stored, definition);
    return encodeStored(form.object, definition, form.mark, clusterId);
  });
}

/** Of a kind that no webhook converts. */
export function encodeObject(target: Target, object: KubeObject): Buffer {
  const { workspace, served } = target;
  const { definition } = served;
  const clusterId = carriesClusterAnnotation(workspace) ? workspace.id : undefined;
  if (isInert(workspace, definition)) {
    return encodeStored(toStorageVersion(object, served), definition, untouchedMark, clusterId);
  }
  const { object: stored, mark } = storageFormOf(object, served);
  return encodeStored(stored, definition, mark, clusterId);
}
