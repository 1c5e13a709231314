import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { objectsAt, textAt } from '#api/builtin/read.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns } from './concerns.ts';

const nodes = { group: '', resource: 'nodes' };
const key = 'node.kubernetes.io/not-ready';
const effect = 'NoSchedule';

/** Kubernetes' TaintNodesByCondition: a new node takes no pods until whoever watches it has seen that it is ready. */
export class NodeTaint implements AdmissionPlugin {
  readonly name = 'TaintNodesByCondition';
  readonly kinds = [nodes];

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes, 'CREATE', nodes);
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
