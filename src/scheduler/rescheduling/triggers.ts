import type { PropagationSpec } from '#api/policy/placement.ts';
import type { RescheduleTrigger } from '#api/policy/reschedule.ts';
import { sha256Base64url } from '#apimachinery/hash.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';
import { type CompiledPlacement, compilePlacement } from '../algorithm/compile.ts';
import type { Template } from '../algorithm/decision.ts';
import { servesKind } from '../algorithm/served-kind.ts';
import { placementDigest } from '../policy/placement-digest.ts';

/**
 * By trigger, what it looks at. Of a policy, a digest. Of cells, for each that the placement may use four characters for its name
 * and up to four for what is looked at of it, by which what is new is told from what went: 4 to 8 KB for 1,000 cells. Among 1,000
 * names two have the same four characters with a chance of one in 30: such a cell joins unnoticed.
 */
export type TriggerDigests = { [trigger: string]: string };

type CellTrigger = Exclude<RescheduleTrigger, 'PolicyChanged'>;

const nameLength = 4;
/** Of what is looked at of a cell. */
const seenLengths = { CellJoined: 0, CellAPIsChanged: 1, CellLabelsChanged: 4 } as const;
const cellsPrefix = 'cells:';
const remembered = new WeakMap<CellSnapshot, WeakMap<CompiledPlacement, Map<string, string>>>();

/** What the triggers that are asked for look at now. Remembered as long as the snapshot, for all objects of a policy. */
export function triggerDigests(
  triggers: readonly RescheduleTrigger[],
  policy: { readonly spec: Pick<PropagationSpec, 'placement'> },
  snapshot: CellSnapshot,
  template: Template,
): TriggerDigests {
  const placement = compilePlacement(policy.spec.placement);
  const digests: TriggerDigests = {};
  const isTold = triggers.includes('CellLabelsChanged') || triggers.includes('CellAPIsChanged');
  for (const trigger of triggers) {
    // The others see a cell that joins too.
    if (trigger === 'CellJoined' && isTold) continue;
    if (trigger === 'PolicyChanged') digests[trigger] = placementDigest(policy);
    else digests[trigger] = cellsSeen(trigger, placement, snapshot, template);
  }
  return digests;
}

/**
 * Whether a trigger that was looked at before sees something else now. One that is asked for anew triggers nothing, nor does a
 * cell that went: what it had moves by itself.
 */
export function isTriggered(
  now: TriggerDigests,
  before: TriggerDigests | undefined,
  snapshot: CellSnapshot,
): boolean {
  if (before === undefined) return false;
  return Object.entries(now).some(([trigger, seen]) => {
    const former = before[trigger] ?? seen;
    if (former === seen) return false;
    if (trigger === 'PolicyChanged') return true;
    // Otherwise an earlier release wrote it.
    return former.startsWith(cellsPrefix) && seesOther(trigger as CellTrigger, seen, former, snapshot);
  });
}

function seesOther(trigger: CellTrigger, seen: string, former: string, snapshot: CellSnapshot): boolean {
  const now = cellsIn(trigger, seen);
  const before = cellsIn(trigger, former);
  for (const [cell, what] of now) if (before.get(cell) !== what) return true;
  if (trigger !== 'CellLabelsChanged') return false;
  // A cell that is there and that the placement may use no more was labelled otherwise.
  const there = new Set(snapshot.cells.filter(hasJoined).map(nameOf));
  for (const cell of before.keys()) if (!now.has(cell) && there.has(cell)) return true;
  return false;
}

/** The inverse of `cellsSeen`: by name what is seen of it. */
function cellsIn(trigger: CellTrigger, seen: string): Map<string, string> {
  const cells = new Map<string, string>();
  const length = nameLength + seenLengths[trigger];
  for (let at = cellsPrefix.length; at < seen.length; at += length)
    cells.set(seen.slice(at, at + nameLength), seen.slice(at + nameLength, at + length));
  return cells;
}

function nameOf({ name }: CellInfo): string {
  return sha256Base64url(name, nameLength);
}

function cellsSeen(
  trigger: CellTrigger,
  placement: CompiledPlacement,
  snapshot: CellSnapshot,
  template: Template,
): string {
  const { group, version, resource } = template;
  let ofSnapshot = remembered.get(snapshot);
  if (ofSnapshot === undefined) {
    ofSnapshot = new WeakMap();
    remembered.set(snapshot, ofSnapshot);
  }
  let ofPlacement = ofSnapshot.get(placement);
  if (ofPlacement === undefined) {
    ofPlacement = new Map();
    ofSnapshot.set(placement, ofPlacement);
  }
  const key = trigger === 'CellAPIsChanged' ? `${trigger} ${group}/${version}/${resource}` : trigger;
  let seen = ofPlacement.get(key);
  if (seen === undefined) {
    const cells = snapshot.cells
      .filter((cell) => hasJoined(cell) && placement.groups.some(({ selects }) => selects(cell)))
      .map((cell) => nameOf(cell) + seenBy(trigger, cell, placement, template));
    seen = cellsPrefix + cells.join('');
    ofPlacement.set(key, seen);
  }
  return seen;
}

function seenBy(
  trigger: CellTrigger,
  cell: CellInfo,
  { sees }: CompiledPlacement,
  template: Template,
): string {
  if (trigger === 'CellJoined') return '';
  if (trigger === 'CellLabelsChanged') return sha256Base64url(sees(cell), seenLengths[trigger]);
  return cell.served === undefined || servesKind(cell.served, template) ? '1' : '0';
}

/** Has told what it serves, or needs not: a cell that is unwell for a while does not join again. */
function hasJoined({ served, ready, deleting }: CellInfo): boolean {
  return !deleting && (served !== undefined || ready);
}
