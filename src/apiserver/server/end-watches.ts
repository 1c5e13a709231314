import type { CrdCatalog } from '../crd/crd-catalog.ts';
import type { Verbs } from '../verbs/verbs.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';

/**
 * Watches end with their workspace, with the CRD of what they are of, and with its version when that is not served any more.
 * `workspaces` undefined: there is but one, which does not go.
 */
export function endWatchesOfWhatGoes(
  verbs: Pick<Verbs, 'endWatches'>,
  crds: Pick<CrdCatalog, 'onCrd'>,
  workspaces: Pick<WorkspaceDirectory, 'onChange'> | undefined,
): void {
  workspaces?.onChange(({ id }, change) => {
    if (change === 'removed') verbs.endWatches(id);
  });
  crds.onCrd((cluster, _name, record, previous) => {
    const before = previous?.definition;
    if (before === undefined) return;
    const clusterId = cluster as ClusterId;
    const { group, resource, versions } = before;
    const now = record?.definition;
    if (now === undefined) verbs.endWatches(clusterId, { group, resource });
    for (const { version, served } of now === undefined ? [] : versions) {
      const isServed = now?.versions.some((one) => one.version === version && one.served);
      if (served && isServed !== true) verbs.endWatches(clusterId, { group, resource, version });
    }
  });
}
