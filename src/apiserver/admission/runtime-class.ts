import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { objectAt, objectsAt, valueAt } from '#api/builtin/read.ts';
import { ApiError, forbidden } from '#apimachinery/api-error.ts';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compareQuantity, quantityIn } from '#apimachinery/quantity.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns, pods } from './concerns.ts';
import { mergeTolerations } from './tolerations.ts';

const otherOverhead = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
const ownOverhead = 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';

/**
 * Kubernetes' RuntimeClass plugin: a pod names a class that is there, and takes its overhead, node selector and
 * tolerations. A class that a project does not have is the cells': each resolves it.
 */
export class RuntimeClassAdmission implements AdmissionPlugin {
  readonly name = 'RuntimeClass';
  readonly kinds = [pods];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles(attributes: AdmissionAttributes): boolean {
    if (!concerns(attributes, 'CREATE', pods)) return false;
    const spec = objectAt(attributes.object, 'spec');
    return spec?.['runtimeClassName'] !== undefined || spec?.['overhead'] !== undefined;
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    const found = object === undefined ? undefined : this.#classOf(context, object);
    if (object === undefined || found === undefined || found === 'elsewhere') return undefined;
    const refuse = (why: string) => forbidden(context.served.definition, object.metadata.name ?? '', why);
    const spec = objectIn(object, 'spec');
    const fixed = fixedOverhead(found);
    if (fixed !== undefined) {
      const given = objectAt(spec, 'overhead') ?? {};
      if (Object.keys(given).length > 0 && !sameAmounts(given, fixed)) throw refuse(otherOverhead);
      spec['overhead'] = cloneJson(fixed);
    }
    const scheduling = objectAt(found, 'scheduling');
    if (scheduling === undefined) return undefined;
    const selector: JsonObject = { ...objectAt(spec, 'nodeSelector') };
    const wanted = objectAt(scheduling, 'nodeSelector') ?? {};
    for (const key in wanted) {
      const value = String(wanted[key]);
      if (selector[key] !== undefined && selector[key] !== value) {
        throw refuse(
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${String(selector[key])}`,
        );
      }
      selector[key] = value;
    }
    if (Object.keys(selector).length > 0) spec['nodeSelector'] = selector;
    const tolerations = mergeTolerations(
      objectsAt(spec, 'tolerations'),
      objectsAt(scheduling, 'tolerations').map((one) => cloneJson(one)),
    );
    if (tolerations.length > 0) spec['tolerations'] = tolerations;
    return undefined;
  }

  validate({ context, object }: AdmissionAttributes): undefined {
    const found = object === undefined ? undefined : this.#classOf(context, object);
    if (object === undefined || found === 'elsewhere') return undefined;
    const given = objectAt(object, 'spec', 'overhead');
    const fixed = found === undefined ? undefined : fixedOverhead(found);
    const why = fixed === undefined ? ownOverhead : otherOverhead;
    const isRight = fixed === undefined ? given === undefined : sameAmounts(given ?? {}, fixed);
    if (!isRight) throw forbidden(context.served.definition, object.metadata.name ?? '', why);
    return undefined;
  }

  #classOf(
    { workspace, served, warnings }: ResourceContext,
    pod: KubeObject,
  ): KubeObject | 'elsewhere' | undefined {
    const name = valueAt(pod, 'spec', 'runtimeClassName');
    if (typeof name !== 'string') return undefined;
    // Kubernetes' lister answers so, for want of a name to look for.
    if (name === '') throw new ApiError('InternalError', 'resource name may not be empty');
    const entry = this.#storage.peek(
      objectKey({
        group: 'node.k8s.io',
        resource: 'runtimeclasses',
        clusterId: workspace!.id,
        namespace: '',
        name,
      }),
    );
    if (entry !== undefined) return objectOf(entry);
    const why = `RuntimeClass ${JSON.stringify(name)} not found`;
    if (workspace!.type !== 'project')
      throw forbidden(served.definition, pod.metadata.name ?? '', `pod rejected: ${why}`);
    const warning = `${why} in this project: each cell resolves it`;
    if (!warnings.includes(warning)) warnings.push(warning);
    return 'elsewhere';
  }
}

/** What a class says of overhead; undefined when nothing. */
function fixedOverhead(runtimeClass: KubeObject): JsonObject | undefined {
  const overhead = objectAt(runtimeClass, 'overhead');
  return overhead === undefined ? undefined : (objectAt(overhead, 'podFixed') ?? {});
}

function sameAmounts(a: JsonObject, b: JsonObject): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => sameAmount(a[name], b[name]));
}

function sameAmount(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  const left = quantityIn(a);
  const right = quantityIn(b);
  return left !== undefined && right !== undefined && compareQuantity(left, right) === 0;
}
