import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { syncErrorText } from '../copies/sync-error.ts';
import type { CellReport } from './cell-report.ts';

/** What is known of a definition (CRD) in one cell that a project's is bound to. */
export interface CellDefinition {
  /** Why the project's could not be brought there; undefined: the cell's serves the project, or will. */
  readonly failure: string | undefined;
  /** The cell's, as its metadata tells; undefined: there is none (yet). */
  readonly found:
    | {
        /** Made of projects' definitions, and so brought to the edge. */
        readonly isMadeByUs: boolean;
        readonly contentHash: string | undefined;
        readonly syncedHash: string | undefined;
        readonly syncError: string | undefined;
      }
    | undefined;
  /** Whether the edge serves the kind in all versions that the project serves; undefined: nobody tells. */
  readonly served: boolean | undefined;
}

const notEstablished = 'NotEstablished: the edge has the definition and does not serve the kind yet';

/**
 * How far a project's definition is in a cell. A definition there is shared by all projects, so that there is no copy of this
 * one's to look at: applied is what the edge has, healthy what it serves.
 */
export function definitionReport(cell: string, { failure, found, served }: CellDefinition): CellReport {
  const report = { cell, status: undefined } as const;
  if (failure !== undefined) return { ...report, applied: false, message: failure, health: 'Unknown' };
  if (found === undefined) return { ...report, applied: false, message: undefined, health: 'Unknown' };
  if (!found.isMadeByUs) {
    // The platform's own, which nobody but the platform brings to the edge.
    const message = served === false ? 'the cell has a definition of its own, and its edge none' : undefined;
    return { ...report, applied: served !== false, message, health: healthOf(served) };
  }
  const { contentHash, syncedHash } = found;
  const applied = syncedHash !== undefined && syncedHash === contentHash;
  const error = syncErrorText(found.syncError);
  if (!applied) return { ...report, applied, message: error, health: 'Unknown' };
  if (error !== undefined) return { ...report, applied, message: error, health: 'Unhealthy' };
  return {
    ...report,
    applied,
    message: served === false ? notEstablished : undefined,
    health: healthOf(served),
  };
}

function healthOf(served: boolean | undefined): CellReport['health'] {
  return served === true ? 'Healthy' : 'Unknown';
}

/** `<group>/<version>/<Kind>` of every version that a CRD serves. */
export function servedKindsOf(crd: KubeObject): string[] {
  const spec = isJsonObject(crd['spec']) ? crd['spec'] : {};
  const names = isJsonObject(spec['names']) ? spec['names'] : {};
  const versions = Array.isArray(spec['versions']) ? spec['versions'] : [];
  return versions.flatMap((version) =>
    isJsonObject(version) && version['served'] === true
      ? [`${String(spec['group'])}/${String(version['name'])}/${String(names['kind'])}`]
      : [],
  );
}
