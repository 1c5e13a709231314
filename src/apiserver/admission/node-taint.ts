import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { objectsAt, textAt } from '#api/builtin/read.ts';
import { isInert } from '../registry/target.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const key = 'node.kubernetes.io/not-ready';
const effect = 'NoSchedule';

/** Kubernetes' TaintNodesByCondition: a new node takes no pods until whoever watches it has seen that it is ready. */
export class NodeTaint implements AdmissionPlugin {
  readonly name = 'TaintNodesByCondition';

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    const { definition } = served;
    if (operation !== 'CREATE' || subresource !== '' || workspace === undefined) return false;
    return definition.resource === 'nodes' && definition.group === '' && !isInert(workspace, definition);
  }

  mutate({ object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const taints = objectsAt(object, 'spec', 'taints');
    if (taints.some((one) => textAt(one, 'key') === key && textAt(one, 'effect') === effect))
      return undefined;
    objectIn(object, 'spec')['taints'] = [...taints, { key, effect }];
    return undefined;
  }
}
