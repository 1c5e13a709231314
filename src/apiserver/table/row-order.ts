import { numberAt } from '#api/builtin/read.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';

/**
 * The objects as the rows of a Table stand: those of FlowSchemas in the order in which requests are matched
 * (Kubernetes' printFlowSchemaList), of every other kind as they come.
 */
export function inRowOrder(
  { group, resource }: ResourceDefinition,
  objects: Iterable<KubeObject>,
): Iterable<KubeObject> {
  if (resource !== 'flowschemas' || group !== 'flowcontrol.apiserver.k8s.io') return objects;
  return [...objects].sort((a, b) => precedenceOf(a) - precedenceOf(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

const precedenceOf = (schema: KubeObject): number => numberAt(schema, 'spec', 'matchingPrecedence') ?? 0;
const nameOf = (schema: KubeObject): string => schema.metadata.name ?? '';
