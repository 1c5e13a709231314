import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';

const addressAnnotations = [
  copyAnnotations.originGroup,
  copyAnnotations.originResource,
  copyAnnotations.originNamespace,
  copyAnnotations.originName,
] as const;

/**
 * Which project object a copy stands for, as one comparable text: control plane, logical cluster and the object's address
 * there. Not its uid: an object that was re-created takes over its copies. Undefined for what is no copy (invariant 4).
 */
export function originKeyOf(metadata: ObjectMeta): string | undefined {
  const { labels = {}, annotations = {} } = metadata;
  const cluster = labels[copyLabels.originCluster];
  if (cluster === undefined) return undefined;
  const address = addressAnnotations.map((name) => annotations[name] ?? '');
  return [labels[copyLabels.originControlPlane] ?? '', cluster, ...address].join('|');
}

/**
 * Whether an edge object is a copy of the same origin as `copy`, also where somebody at the edge has written over part of
 * its address: an annotation that our manager does not own any more (`owned`: the fields that it applied there) tells
 * nothing. Its labels do, always, and at least one annotation has to be as we applied it.
 */
export function isOfOrigin(atEdge: ObjectMeta, copy: ObjectMeta, owned: JsonObject | undefined): boolean {
  const { labels = {}, annotations = {} } = atEdge;
  const wanted = originKeyOf(copy);
  if (wanted === undefined || originKeyOf(atEdge) === wanted) return wanted !== undefined;
  for (const name of [copyLabels.originCluster, copyLabels.originControlPlane]) {
    if (labels[name] !== copy.labels?.[name]) return false;
  }
  const metadata = childOf(owned, 'f:metadata');
  const applied = childOf(metadata, 'f:annotations') ?? {};
  const told = addressAnnotations.filter((name) => applied[`f:${name}`] !== undefined);
  return told.length > 0 && told.every((name) => annotations[name] === copy.annotations?.[name]);
}

/**
 * Whether an edge object is what a former Cell of the same edge made of the cell's own content (its CRDs, which belong to
 * the cell and to no project): the edge has one Cell at a time, and the one that has it now has that content as well.
 */
export function isOfFormerCell(atEdge: ObjectMeta, copy: ObjectMeta): boolean {
  const isOfCell = ({ annotations }: ObjectMeta) =>
    annotations?.[copyAnnotations.originPath]?.startsWith(`${cellsWorkspacePath}:`) === true;
  if (!isOfCell(atEdge) || !isOfCell(copy)) return false;
  if (atEdge.labels?.[copyLabels.originCluster] === undefined) return false;
  const plane = copyLabels.originControlPlane;
  if (atEdge.labels[plane] !== copy.labels?.[plane]) return false;
  return addressAnnotations.every((name) => atEdge.annotations?.[name] === copy.annotations?.[name]);
}

function childOf(fields: JsonObject | undefined, name: string): JsonObject | undefined {
  const child = fields?.[name];
  return isJsonObject(child) ? child : undefined;
}
