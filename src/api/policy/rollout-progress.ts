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
  objects: { ...count, description: 'Objects that the policy places and that can be rolled out.' },
  complete: { ...count, description: 'Of these, those that are in all their cells as they are now.' },
  progressing: { ...count, description: 'Those on their way, pauses between waves included.' },
  awaitingApproval: { ...count, description: 'Those whose next wave waits to be approved.' },
  paused: {
    ...count,
    description: 'Those that were not healthy in time, and stay as they are: onFailure Pause.',
  },
  rolledBack: {
    ...count,
    description: 'Those that were not healthy in time, and are what they were before.',
  },
} as const satisfies JsonObject;

export const rolloutProgressSchema: JsonObject = {
  type: 'object',
  description: 'How far the objects of the policy are. Absent where it has no rollout.',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    ...counts,
    parts: {
      type: 'object',
      additionalProperties: { type: 'object', properties: counts },
      description:
        'Of a policy above projects, where several schedulers share these: what each tells, by lane of projects. The counts are the sums.',
    },
    unfinished: {
      type: 'array',
      description:
        "Of a project's own policy: objects that are not complete, at most 10, those first that need somebody.",
      items: {
        type: 'object',
        required: ['resource', 'name', 'phase'],
        properties: {
          resource: { ...text, description: 'Resource and group of the object, like deployments.apps.' },
          namespace: { ...text, description: 'Its namespace. Absent: it has none.' },
          name: { ...text, description: 'Its name.' },
          phase: { ...text, description: 'Progressing, Pausing, AwaitingApproval, Paused or RolledBack.' },
          wave: { ...text, description: 'The wave that was reached last. Absent: none.' },
          updated: { ...count, description: 'Cells that the change has reached.' },
          cells: { ...count, description: 'Cells of the object.' },
          message: { ...text, description: 'What it waits for, or what went wrong; at most 256 characters.' },
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
