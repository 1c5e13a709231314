import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Target, Template } from './algorithm/decision.ts';
import type { DiscoveredResource } from './discovery.ts';
import { relayedLabels } from './failover/preserved-state.ts';
import type { Interpretation } from './interpreter/interpretation.ts';
import type { Known } from './known-object.ts';
import type { KeyParts } from './object-key.ts';
import { crdResource } from './projection/kinds.ts';
import { type OverrideSource, overrideChain } from './projection/overrides.ts';
import type { RenderInput } from './projection/render.ts';
import { retainedFieldsOf } from './projection/retained.ts';
import { templateOf } from './template-of.ts';
import type { ResourceWatches } from './watches/resource-watches.ts';

export interface RenderSources {
  readonly controlPlaneId: string;
  readonly watches: ResourceWatches;
  readonly overridesOf: (cluster: string) => Iterable<OverrideSource>;
}

/** What the algorithm is told of an object of a project. */
export function projectTemplateOf(
  watches: ResourceWatches,
  { group, resource, cluster }: KeyParts,
  { version, kind, hasScale: scalable }: DiscoveredResource,
  object: KubeObject,
  interpretation: Interpretation | undefined,
): Template {
  const custom = watches.get(crdResource, cluster, '', `${resource}.${group}`) !== undefined;
  return templateOf(object, { group, version, kind, resource, scalable, custom }, interpretation);
}

/** What rendering an object's copies needs. */
export function renderInputOf(
  { controlPlaneId, watches, overridesOf }: RenderSources,
  parts: KeyParts,
  known: Known,
  template: Template,
  targets: readonly Target[],
  tasks: readonly GracefulEvictionTask[] = [],
): RenderInput {
  const { project, object, mapper, match } = known;
  const { group, resource, namespace, name } = parts;
  const { spec } = match.policy;
  return {
    object,
    version: match.resource.version,
    origin: {
      controlPlane: controlPlaneId,
      cluster: project.id,
      path: project.path,
      group,
      resource,
      namespace,
      name,
      uid: template.uid,
    },
    kind: { group, resource, scalable: match.resource.hasScale },
    custom: template.custom,
    targets,
    divided: spec.placement?.replicaScheduling?.replicaSchedulingType === 'Divided',
    overrides: overrideChain(overridesOf(project.id), {
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace,
      name,
      labels: object.metadata.labels,
    }),
    revise:
      known.interpretation?.has('replicaRevision') === true
        ? (one, replicas) => known.interpretation?.revise(one, replicas) ?? one
        : undefined,
    mapper,
    owns: (ownedGroup, owned, ownedName) =>
      watches.get(`${owned}.${ownedGroup}`, project.id, '', ownedName) !== undefined,
    contract: {
      conflictResolution: spec.conflictResolution === 'Overwrite' ? 'Overwrite' : 'Abort',
      orphan: spec.preserveResourcesOnDeletion === true,
      retained: retainedFieldsOf(object, known.interpretation),
    },
    relayed: tasks.some(({ preservedLabelState }) => preservedLabelState !== undefined)
      ? (cell) => relayedLabels(tasks, cell)
      : undefined,
  };
}
