import { objectIn, objectsIn } from '#api/builtin/defaults/defaulting.ts';
import { appArmorPrefix } from '#api/builtin/pod-annotation-keys.ts';
import { objectAt, textAt } from '#api/builtin/read.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns, pods } from './concerns.ts';

const localhost = 'localhost/';
const profileLengthMax = 4095;

/**
 * A new pod's annotations of AppArmor profiles become the fields of its containers, as its strategy in Kubernetes has it
 * (applyAppArmorVersionSkew): a field that is there counts. Here, since a strategy cannot warn of what it replaces.
 */
export class AppArmorFields implements AdmissionPlugin {
  readonly name = 'AppArmorFields';
  readonly kinds = [pods];

  handles(attributes: AdmissionAttributes): boolean {
    if (!concerns(attributes, 'CREATE', pods)) return false;
    for (const key in attributes.object?.metadata.annotations)
      if (key.startsWith(appArmorPrefix)) return true;
    return false;
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    const annotations = object?.metadata.annotations;
    const spec = objectAt(object, 'spec');
    if (annotations === undefined || spec === undefined || textAt(spec, 'os', 'name') === 'windows')
      return undefined;
    const podProfile = objectAt(spec, 'securityContext', 'appArmorProfile');
    for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
      for (const container of objectsIn(spec, list)) {
        const key = `${appArmorPrefix}${textAt(container, 'name')}`;
        const annotation = annotations[key];
        if (annotation === undefined) continue;
        if (objectAt(container, 'securityContext', 'appArmorProfile') !== undefined) continue;
        const profile = profileOf(annotation);
        if (profile !== undefined && equalJson(profile, podProfile ?? null)) continue;
        if (profile !== undefined) objectIn(container, 'securityContext')['appArmorProfile'] = profile;
        context.warnings.push(
          `metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
        );
      }
    }
    return undefined;
  }
}

/** The field that says what the annotation says; undefined for what is no profile. */
function profileOf(annotation: string): JsonObject | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith(localhost)) return undefined;
  const name = annotation.slice(localhost.length);
  if (name === '' || name !== name.trim() || name.length > profileLengthMax) return undefined;
  return { type: 'Localhost', localhostProfile: name };
}
