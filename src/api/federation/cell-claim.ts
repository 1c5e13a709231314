import { type Condition, conditionOf } from '../conditions.ts';
import type { Cell } from './cell.ts';

/** True from before the edge says that it is this cell's until it says so no more. */
export const claimedCondition = 'Claimed';

/** Whether the edge says, or is about to, that it is this cell's. Syncers of other make may never tell. */
export function isClaimed(cell: Cell): boolean {
  return conditionOf(cell.status?.conditions, claimedCondition)?.status === 'True';
}

/** What the Cell says of its claim. */
export function claimCondition(stands: boolean): Pick<Condition, 'type' | 'status' | 'reason' | 'message'> {
  return stands
    ? {
        type: claimedCondition,
        status: 'True',
        reason: 'Claimed',
        message: 'the edge says that it is this cell’s',
      }
    : { type: claimedCondition, status: 'False', reason: 'Released', message: 'the edge is nobody’s again' };
}
