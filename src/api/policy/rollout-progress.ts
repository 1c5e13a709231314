import type { JsonObject } from '#apimachinery/json.ts';
import type { RolloutStatus } from '../work/resource-binding.ts';

/** How far objects of a policy with a `rollout` are. */
export interface RolloutCounts extends JsonObject {
  /** Objects that the policy places and that it can roll out. */
  objects: number;
  /** Of these, by phase; a pause between waves counts as progress. */
  complete: number;
  progressing: number;
  awaitingApproval: number;
  paused: number;
  rolledBack: number;
}

/** How far all of them are. */
export interface RolloutProgress extends RolloutCounts {
  /**
   * Where several schedulers share the projects below the policy, what each tells of those that it has: by lane of projects. The
   * counts are their sums.
   */
  parts?: { [lane: string]: RolloutCounts };
  /** Of a project's own policy, objects that are not complete, those that need somebody first: the first few by name. */
  unfinished?: UnfinishedRollout[];
}

export interface UnfinishedRollout extends JsonObject {
  /** `<resource>.<group>`. */
  resource: string;
  namespace?: string;
  name: string;
  phase: RolloutStatus['phase'];
  /** The wave that was reached last; absent: none. */
  wave?: string;
  /** Cells that the change has reached, and all. */
  updated?: number;
  cells?: number;
  /** What it waits for, or what went wrong. */
  message?: string;
}

const count: JsonObject = { type: 'integer', format: 'int32', minimum: 0 };
const text: JsonObject = { type: 'string' };

const counts = {
  objects: count,
  complete: count,
  progressing: count,
  awaitingApproval: count,
  paused: count,
  rolledBack: count,
} as const satisfies JsonObject;

export const rolloutProgressSchema: JsonObject = {
  type: 'object',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    ...counts,
    parts: { type: 'object', additionalProperties: { type: 'object', properties: counts } },
    unfinished: {
      type: 'array',
      items: {
        type: 'object',
        required: ['resource', 'name', 'phase'],
        properties: {
          resource: text,
          namespace: text,
          name: text,
          phase: text,
          wave: text,
          updated: count,
          cells: count,
          message: text,
        },
      },
    },
  },
};

/** What most needs somebody, and how many objects are complete: `AwaitingApproval 3/5`. Empty without objects. */
export function progressText(progress: RolloutProgress | undefined): string {
  if (progress === undefined || progress.objects === 0) return '';
  const { objects, complete, progressing, awaitingApproval, paused, rolledBack } = progress;
  const phases: readonly (readonly [number, string])[] = [
    [rolledBack, 'RolledBack'],
    [paused, 'Paused'],
    [awaitingApproval, 'AwaitingApproval'],
    [progressing, 'Progressing'],
  ];
  const phase = phases.find(([objectsIn]) => objectsIn > 0)?.[1] ?? 'Complete';
  return `${phase} ${complete}/${objects}`;
}
