import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectOf, objectsIn } from '../defaults/defaulting.ts';

/** Where kinds hold a pod's spec. */
const podSpecPaths: { readonly [groupResource: string]: readonly string[] } = {
  pods: ['spec'],
  podtemplates: ['template', 'spec'],
  replicationcontrollers: ['spec', 'template', 'spec'],
  'daemonsets.apps': ['spec', 'template', 'spec'],
  'deployments.apps': ['spec', 'template', 'spec'],
  'replicasets.apps': ['spec', 'template', 'spec'],
  'statefulsets.apps': ['spec', 'template', 'spec'],
  'cronjobs.batch': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  'jobs.batch': ['spec', 'template', 'spec'],
};

/**
 * Takes fields of a pod away whose feature gates are off by default in Kubernetes 1.36, unless the object used the feature
 * before (DropDisabledPodFields of pkg/api/pod): ContainerStopSignals, GenericWorkload, ClusterTrustBundleProjection,
 * PodCertificateRequest. In place; undefined for kinds without pods.
 */
export function podGatesOf(
  groupResource: string,
): ((object: KubeObject, old: KubeObject | undefined) => void) | undefined {
  const path = podSpecPaths[groupResource];
  if (path === undefined) return undefined;
  const specIn = (object: KubeObject | undefined) => {
    let at: JsonObject | undefined = object;
    for (const field of path) at = objectOf(at, field);
    return at;
  };
  return (object, old) => {
    const spec = specIn(object);
    if (spec === undefined || !mayBeGated(spec)) return;
    for (const holdersIn of gated) {
      const holders = holdersIn(spec).filter(([holder, field]) => holder[field] !== undefined);
      if (holders.length === 0) continue;
      const before = specIn(old);
      const inUse =
        before !== undefined && holdersIn(before).some(([holder, field]) => holder[field] !== undefined);
      if (!inUse) for (const [holder, field] of holders) delete holder[field];
    }
  };
}

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** Whether a spec has what gated fields are in: hardly any has. */
function mayBeGated(spec: JsonObject): boolean {
  if (spec['schedulingGroup'] !== undefined) return true;
  for (const list of containerLists) {
    for (const container of objectsIn(spec, list)) if (container['lifecycle'] !== undefined) return true;
  }
  for (const volume of objectsIn(spec, 'volumes')) if (volume['projected'] !== undefined) return true;
  return false;
}

type FieldOf = readonly [holder: JsonObject, field: string];

/** For each gate, the fields that it opens. */
const gated: readonly ((spec: JsonObject) => FieldOf[])[] = [
  (spec) => [[spec, 'schedulingGroup']],
  (spec) => {
    const fields: FieldOf[] = [];
    for (const list of containerLists) {
      for (const container of objectsIn(spec, list)) {
        const lifecycle = objectOf(container, 'lifecycle');
        if (lifecycle === undefined) continue;
        // A lifecycle that says nothing else goes with it.
        const isAlone = lifecycle['stopSignal'] !== undefined && Object.keys(lifecycle).length === 1;
        fields.push(isAlone ? [container, 'lifecycle'] : [lifecycle, 'stopSignal']);
      }
    }
    return fields;
  },
  (spec) => projectedSources(spec, 'clusterTrustBundle'),
  (spec) => projectedSources(spec, 'podCertificate'),
];

function projectedSources(spec: JsonObject, field: string): FieldOf[] {
  if (spec['volumes'] === undefined) return [];
  return objectsIn(spec, 'volumes').flatMap((volume) => {
    const projected = objectOf(volume, 'projected');
    return projected === undefined
      ? []
      : objectsIn(projected, 'sources').map((source): FieldOf => [source, field]);
  });
}
