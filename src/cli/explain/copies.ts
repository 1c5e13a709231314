import { copiesGvr } from '#api/federation/copy.ts';
import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { NamedResource } from '../resource-argument.ts';

/** The cell's definition of the name, as far as there is one: it belongs to the cell. */
export async function definitionIn(
  federationClient: KubeClient,
  cell: string,
  { gvr, name }: NamedResource,
): Promise<{ readonly cell: string; readonly metadata: ObjectMeta }[]> {
  const ref = { cluster: `${cellsWorkspacePath}:${cell}`, gvr, name };
  try {
    const { metadata } = await federationClient.get(ref, { metadataOnly: true });
    return [{ cell, metadata }];
  } catch (error) {
    if (isApiError(error, 'NotFound', 'ServiceUnavailable')) return [];
    throw error;
  }
}

/** The metadata of the object's copies in the cell. */
export async function copiesIn(
  federationClient: KubeClient,
  cell: string,
  projectId: string,
  { gvr, name }: NamedResource,
  namespace: string | undefined,
): Promise<{ readonly cell: string; readonly metadata: ObjectMeta }[]> {
  const collection = { cluster: `${cellsWorkspacePath}:${cell}`, gvr: copiesGvr };
  let items: KubeObject[];
  try {
    ({ items } = await federationClient.list(collection, {
      labelSelector: `${copyLabels.originCluster}=${projectId}`,
    }));
  } catch (error) {
    // A Cell whose workspace is not made yet holds nothing.
    if (isApiError(error, 'NotFound', 'ServiceUnavailable')) return [];
    throw error;
  }
  const wanted = { group: gvr.group, resource: gvr.resource, namespace: namespace ?? '', name };
  return items
    .filter(({ metadata: { annotations = {} } }) => {
      const at = (key: string) => annotations[key] ?? '';
      return (
        at(copyAnnotations.originGroup) === wanted.group &&
        at(copyAnnotations.originResource) === wanted.resource &&
        at(copyAnnotations.originNamespace) === wanted.namespace &&
        at(copyAnnotations.originName) === wanted.name
      );
    })
    .map(({ metadata }) => ({ cell, metadata }));
}
