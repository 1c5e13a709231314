import type { KubeObject } from '#apimachinery/object.ts';
import type { Template } from './algorithm/decision.ts';
import { nodeDemandOf } from './algorithm/node-demand.ts';
import { definedGroup } from './copies/projector.ts';
import type { Interpretation } from './interpreter/interpretation.ts';
import { crdResource, isPrivilegedResource, resourceKey } from './projection/kinds.ts';
import { podSpecOf, replicasOf, requestOf } from './projection/replicas.ts';

/** Of which kind an object is, as its server tells. */
export interface TemplateKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural. */
  readonly resource: string;
  /** Has a scale subresource. */
  readonly scalable: boolean;
  /** Served through a CRD of the project. */
  readonly custom: boolean;
}

/** What the algorithm is told of an object. `replicas`: as if it asked for so many, where it has any. */
export function templateOf(
  object: KubeObject,
  kind: TemplateKind,
  interpretation: Interpretation | undefined,
  replicas?: number | undefined,
): Template {
  const { group, version, resource } = kind;
  const isCrd = resourceKey(group, resource) === crdResource;
  const told = interpretation?.replicas(object);
  const own = told?.replicas ?? replicasOf(object, kind);
  const { namespace = '', name = '', uid = '' } = object.metadata;
  return {
    group: isCrd ? definedGroup(object) : group,
    version,
    kind: kind.kind,
    resource,
    uid,
    key: `${namespace}/${name}`,
    replicas: own === undefined ? undefined : (replicas ?? own),
    request: told?.request ?? requestOf(object, kind),
    nodes: told?.nodes ?? nodeDemandOf(podSpecOf(object, kind)),
    custom: kind.custom || isCrd,
    privileged: isPrivilegedResource(group, resource),
  };
}
