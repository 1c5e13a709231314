import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { numberAt, textAt, valueAt } from '#api/builtin/read.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import { isInert } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { pods } from './concerns.ts';

const group = 'scheduling.k8s.io';
const resource = 'priorityclasses';

interface Resolved {
  /** Empty without any class. */
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

/** What a pod gets where no class is the default. */
const noClass: Resolved = { name: '', value: 0, preemptionPolicy: 'PreemptLowerPriority' };

const descriptions: { readonly [name: string]: string } = {
  'system-cluster-critical':
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  'system-node-critical': 'Used for system critical pods that must not be moved from their current node.',
};

/** Classes that every cluster has, stored or not (scheduling.SystemPriorityClasses). */
const systemClasses: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
]);

/** The same as objects: every workspace has them without storing them. */
export const systemPriorityClasses: readonly KubeObject[] = [...systemClasses].map(([name, value]) => ({
  apiVersion: `${group}/v1`,
  kind: 'PriorityClass',
  metadata: { name, generation: 1 },
  value,
  description: descriptions[name] ?? '',
  preemptionPolicy: 'PreemptLowerPriority',
}));

/**
 * Kubernetes' Priority plugin (KUBERNETES.md A4): the PriorityClass that a pod names, or the one marked globalDefault,
 * becomes the pod's number and preemption policy; at most one class is the default. A class that a project does not have
 * is the cells': the pod keeps its name there, and each cell resolves it.
 */
export class Priority implements AdmissionPlugin {
  readonly name = 'Priority';
  readonly kinds = [pods, { group, resource }];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    if (workspace === undefined) return false;
    const { definition } = served;
    const isPod = definition.resource === 'pods' && definition.group === '';
    const isClass = definition.resource === resource && definition.group === group;
    if (!isPod && !isClass) return false;
    return (subresource === '' || (isPod && operation === 'UPDATE')) && !isInert(workspace, definition);
  }

  mutate({ context, operation, object, oldObject }: AdmissionAttributes): undefined {
    if (object === undefined || context.served.definition.resource !== 'pods') return undefined;
    const spec = objectIn(object, 'spec');
    if (operation === 'UPDATE') {
      // The numbers were given at creation; a writer who does not know them does not take them away.
      for (const field of ['priority', 'preemptionPolicy']) {
        const before = valueAt(oldObject, 'spec', field);
        if (spec[field] === undefined && before !== undefined) spec[field] = before;
      }
      return undefined;
    }
    const asked = textAt(spec, 'priorityClassName');
    const resolved =
      asked === '' ? this.#default(context) : this.#named(context, asked, object.metadata.name ?? '');
    if (resolved === undefined) return undefined;
    const { definition } = context.served;
    const name = object.metadata.name ?? '';
    const priority = numberAt(spec, 'priority');
    if (priority !== undefined && priority !== resolved.value) {
      const why = `the integer value of priority (${priority}) must not be provided in pod spec; priority admission controller computed ${resolved.value} from the given PriorityClass name`;
      throw forbidden(definition, name, why);
    }
    const policy = textAt(spec, 'preemptionPolicy');
    if (policy !== '' && policy !== resolved.preemptionPolicy) {
      const why = `the string value of PreemptionPolicy (${policy}) must not be provided in pod spec; priority admission controller computed ${resolved.preemptionPolicy} from the given PriorityClass name`;
      throw forbidden(definition, name, why);
    }
    if (resolved.name !== '') spec['priorityClassName'] = resolved.name;
    spec['priority'] = resolved.value;
    spec['preemptionPolicy'] = resolved.preemptionPolicy;
    return undefined;
  }

  validate({ context, operation, object }: AdmissionAttributes): undefined {
    if (object === undefined || context.served.definition.resource !== resource) return undefined;
    if (object['globalDefault'] !== true) return undefined;
    const name = object.metadata.name ?? '';
    for (const one of this.#classes(context)) {
      if (one['globalDefault'] !== true) continue;
      if (operation === 'UPDATE' && one.metadata.name === name) continue;
      const why = `PriorityClass ${one.metadata.name ?? ''} is already marked as default. Only one default can exist`;
      throw forbidden(context.served.definition, name, why);
    }
    return undefined;
  }

  #named(context: ResourceContext, name: string, pod: string): Resolved | undefined {
    const { workspace, warnings } = context;
    const key = objectKey({ group, resource, clusterId: workspace!.id, namespace: '', name });
    const entry = this.#storage.peek(key);
    if (entry !== undefined) return resolvedOf(objectOf(entry));
    const system = systemClasses.get(name);
    if (system !== undefined) return { ...noClass, name, value: system };
    const why = `no PriorityClass with name ${name} was found`;
    if (workspace!.type !== 'project') throw forbidden(context.served.definition, pod, why);
    warnings.push(`${why} in this project: each cell resolves it`);
    return undefined;
  }

  /** Of several defaults, which only a race can make, the lowest (getDefaultPriorityClass). */
  #default(context: ResourceContext): Resolved {
    let best: Resolved | undefined;
    for (const one of this.#classes(context)) {
      if (one['globalDefault'] !== true) continue;
      const resolved = resolvedOf(one);
      if (best === undefined || resolved.value < best.value) best = resolved;
    }
    return best ?? noClass;
  }

  *#classes({ workspace }: ResourceContext): Generator<KubeObject, void, undefined> {
    const prefix = rangePrefix({ group, resource }, workspace!.id);
    for (const entry of this.#storage.snapshot(prefix).entries()) yield objectOf(entry);
  }
}

function resolvedOf(priorityClass: KubeObject): Resolved {
  return {
    name: priorityClass.metadata.name ?? '',
    value: numberAt(priorityClass, 'value') ?? 0,
    preemptionPolicy: textAt(priorityClass, 'preemptionPolicy') || noClass.preemptionPolicy,
  };
}
