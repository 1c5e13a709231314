import { type Condition, conditionOf, withCondition } from '#api/conditions.ts';
import type { Cell, CellStatus } from '#api/federation/cell.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { RoomSums } from './room.ts';
import type { Room } from './room-watch.ts';

type NodeRoomTold = NonNullable<CellStatus['nodeRoom']>;

/** Whether the edge's nodes are watched, and why not. */
const conditionType = 'NodesWatched';
/** Sums are known, and not told: what stands there is not ours. */
const othersReason = 'ToldByOthers';

const tooManyKinds =
  '; by their taints there are too many kinds of nodes to tell them, so that any node counts for any pod';

export interface RoomReport {
  readonly conditions: readonly Condition[] | undefined;
  /**
   * Merge patch of `allocatable`, `allocated`, `nodeRoom`, `nodeKinds` and `unschedulable` in the Cell's status; empty when
   * they say it already.
   */
  readonly amounts: JsonObject;
}

/**
 * What a Cell's status is to say of its edge's room. With `spec.watchNodes: false`, and without a word of it where somebody else
 * told the room first, that is left to whoever else writes it, once what stands of ours is taken away. What cannot be watched any
 * more stays as it was last seen, since no word of room would mean room for everything.
 */
export function roomReport(
  { spec = {}, status = {} }: Cell,
  conditions: readonly Condition[] | undefined,
  room: Room | undefined,
  now: string,
): RoomReport {
  const before = conditionOf(conditions, conditionType)?.reason;
  const isOurs = before !== undefined && before !== othersReason;
  const isTold = (status.allocatable ?? status.allocated) !== undefined;
  const isAsked = spec.watchNodes === true;
  const unsaid = before === undefined ? conditions : conditions?.filter(({ type }) => type !== conditionType);
  const amounts = (sums: RoomSums | undefined) => ({
    ...changeOf('allocatable', status.allocatable, sums?.allocatable),
    ...changeOf('allocated', status.allocated, sums?.allocated),
    ...nodeRoomChange(status.nodeRoom, sums?.nodeRoom),
    ...changeOf('nodeKinds', status.nodeKinds, sums?.nodeKinds),
    ...changeOf('unschedulable', status.unschedulable, sums?.unschedulable),
  });
  const nothing = () => (isOurs || isAsked ? amounts(undefined) : {});
  const saying = (conditionStatus: Condition['status'], reason: string, message: string) =>
    withCondition(
      conditions,
      { type: conditionType, status: conditionStatus, reason, message: message.slice(0, 1_024) },
      now,
    );
  if (spec.watchNodes === false) return { conditions: unsaid, amounts: nothing() };
  const isOthers = isTold && !isOurs && !isAsked;
  switch (room?.state) {
    case undefined:
      return { conditions, amounts: {} };
    case 'unknown':
      return { conditions: isOthers ? unsaid : saying('False', room.reason, room.message), amounts: {} };
    case 'no-nodes':
      return isAsked
        ? {
            conditions: saying(
              'False',
              'NoNodes',
              'the edge has no nodes; spec.capacity says what it can take',
            ),
            amounts: nothing(),
          }
        : { conditions: unsaid, amounts: nothing() };
    case 'known':
      if (isOthers) {
        const message =
          'another controller tells allocatable and allocated; with spec.watchNodes: true the federator does';
        return { conditions: saying('False', othersReason, message), amounts: {} };
      }
      return {
        conditions: saying(
          'True',
          'Watched',
          `allocatable, allocated and nodeRoom are what the edge's nodes and pods say${room.nodeKinds === undefined ? tooManyKinds : ''}`,
        ),
        amounts: amounts(room),
      };
  }
}

function changeOf(
  field: 'allocatable' | 'allocated' | 'nodeKinds' | 'unschedulable',
  told: JsonObject | undefined,
  now: JsonObject | undefined,
): JsonObject {
  if (now === undefined) return told === undefined ? {} : { [field]: null };
  return equalJson(told, now) ? {} : { [field]: patchTo(told, now) };
}

/** A list goes as a whole. */
function nodeRoomChange(told: NodeRoomTold | undefined, now: RoomSums['nodeRoom'] | undefined): JsonObject {
  if (now === undefined) return told === undefined ? {} : { nodeRoom: null };
  const nodeRoom = now.map(({ free, ...group }) => ({ ...group, free: { ...free } }));
  return equalJson(told, nodeRoom) ? {} : { nodeRoom };
}

/** The merge patch that makes of one map the other. */
function patchTo(from: JsonObject | undefined, to: JsonObject): JsonObject {
  const patch: JsonObject = { ...to };
  for (const key in from) {
    const [before, now] = [from[key], to[key]];
    if (now === undefined) patch[key] = null;
    else if (isJsonObject(before) && isJsonObject(now)) patch[key] = patchTo(before, now);
  }
  return patch;
}
