import type { PropagationSpec } from '#api/policy/placement.ts';
import type { RescheduleTrigger } from '#api/policy/reschedule.ts';
import { sha256Base32 } from '#apimachinery/hash.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';
import { type CompiledPlacement, compilePlacement } from '../algorithm/compile.ts';
import type { Template } from '../algorithm/decision.ts';
import { servesKind } from '../algorithm/served-kind.ts';
import { placementDigest } from '../policy/placement-digest.ts';

/** By trigger, what it looks at as a digest: another one asks for a fresh decision. */
export type TriggerDigests = { [trigger: string]: string };

const digestLength = 16;
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
  for (const trigger of triggers) {
    if (trigger === 'PolicyChanged') digests[trigger] = placementDigest(policy);
    else digests[trigger] = cellsDigest(trigger, placement, snapshot, template);
  }
  return digests;
}

/** Whether a trigger that was looked at before sees something else now. One that is asked for anew triggers nothing. */
export function isTriggered(now: TriggerDigests, before: TriggerDigests | undefined): boolean {
  if (before === undefined) return false;
  return Object.entries(now).some(([trigger, digest]) => (before[trigger] ?? digest) !== digest);
}

function cellsDigest(
  trigger: Exclude<RescheduleTrigger, 'PolicyChanged'>,
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
  let digest = ofPlacement.get(key);
  if (digest === undefined) {
    const seen = snapshot.cells
      .filter((cell) => hasJoined(cell) && placement.groups.some(({ selects }) => selects(cell)))
      .map((cell) => [cell.name, seenBy(trigger, cell, placement, template)]);
    digest = sha256Base32(JSON.stringify(seen), digestLength);
    ofPlacement.set(key, digest);
  }
  return digest;
}

function seenBy(
  trigger: Exclude<RescheduleTrigger, 'PolicyChanged'>,
  cell: CellInfo,
  { sees }: CompiledPlacement,
  template: Template,
): string | boolean {
  if (trigger === 'CellLabelsChanged') return sees(cell);
  return trigger === 'CellAPIsChanged' && (cell.served === undefined || servesKind(cell.served, template));
}

/** Has told what it serves, or needs not: a cell that is unwell for a while does not join again. */
function hasJoined({ served, ready, deleting }: CellInfo): boolean {
  return !deleting && (served !== undefined || ready);
}
