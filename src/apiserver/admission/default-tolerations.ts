import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { objectsAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns, pods } from './concerns.ts';

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
/** How long a pod stays on a node that is not ready or not reached. */
const tolerationSeconds = 300;

/**
 * Kubernetes' DefaultTolerationSeconds: a pod that says nothing of nodes that are not ready or not reached tolerates each
 * for five minutes.
 */
export class DefaultTolerations implements AdmissionPlugin {
  readonly name = 'DefaultTolerationSeconds';
  readonly kinds = [pods];

  handles(attributes: AdmissionAttributes): boolean {
    if (concerns(attributes, 'CREATE', pods)) return true;
    return concerns(attributes, 'UPDATE', pods) && missing(attributes.object).length > 0;
  }

  mutate({ object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const absent = missing(object);
    if (absent.length === 0) return undefined;
    objectIn(object, 'spec')['tolerations'] = [
      ...objectsAt(object, 'spec', 'tolerations'),
      ...absent.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds })),
    ];
    return undefined;
  }
}

function missing(pod: JsonObject | undefined): string[] {
  const tolerations = objectsAt(pod, 'spec', 'tolerations');
  return taints.filter(
    (taint) =>
      !tolerations.some((one) => {
        const key = textAt(one, 'key');
        const effect = textAt(one, 'effect');
        return (key === taint || key === '') && (effect === 'NoExecute' || effect === '');
      }),
  );
}
