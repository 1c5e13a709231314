import type { PropagationSpec } from '#api/policy/placement.ts';
import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';
import type { CopyIndex } from '../copies/copy-index.ts';
import { preservationOf } from '../failover/failover.ts';
import { preservedLabels } from '../failover/preserved-state.ts';
import type { CopyReader } from '../gather/copy-reader.ts';
import type { ProjectObjectKey } from '../object-key.ts';
import type { Workspaces } from '../workspaces.ts';

interface PreservedOfCopiesDependencies {
  readonly copies: CopyIndex;
  readonly reader: CopyReader;
  readonly workspaces: Workspaces;
}

/** What the copies in cells that are left now say goes with the object. */
export async function withPreservedState(
  { copies, reader, workspaces }: PreservedOfCopiesDependencies,
  key: ProjectObjectKey,
  tasks: readonly GracefulEvictionTask[],
  failover: PropagationSpec['failover'],
  signal: AbortSignal,
): Promise<readonly GracefulEvictionTask[]> {
  const fresh = tasks.filter((task) => task.clustersBeforeFailover !== undefined && !isPreserved(task));
  if (fresh.length === 0) return tasks;
  const byCell = new Map(
    Array.from(copies.ofOrigin(key).values(), (record) => [workspaces.cellOf(record.cellId) ?? '', record]),
  );
  return Promise.all(
    tasks.map(async (task) => {
      const record = byCell.get(task.fromCluster);
      if (!fresh.includes(task) || record === undefined) return task;
      const [reading] = await reader.readAll([record], signal);
      const preservation = preservationOf(failover, task.reason === 'ApplicationFailure');
      const labels = preservedLabels(preservation, reading?.status);
      return labels === undefined ? task : { ...task, preservedLabelState: labels };
    }),
  );
}

function isPreserved({ preservedLabelState }: GracefulEvictionTask): boolean {
  return preservedLabelState !== undefined;
}
