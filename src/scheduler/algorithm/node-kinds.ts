import { taintText } from '#api/taint-text.ts';
import { type CellInfo, type NodeKind, type NodeKinds, tolerates } from './cell.ts';
import type { NodeDemand, NodeRequirement, NodeTerm } from './node-demand.ts';

/** A bit for each kind. */
export type KindMask = number;

/** More of them are not told apart: they count for any pod. */
export const nodeKindsMax = 30;
export const everyKind: KindMask = 2 ** nodeKindsMax - 1;

/**
 * The kinds of nodes that a replica may run on, as kube-scheduler's filters NodeAffinity and TaintToleration judge nodes
 * (component-helpers, GetRequiredNodeAffinity and FindMatchingUntoleratedTaint). What hangs on labels that are not told, or on
 * nodes' names, is taken to hold.
 */
export function kindsFor(nodeKinds: NodeKinds | undefined, demand: NodeDemand | undefined): KindMask {
  if (nodeKinds === undefined) return everyKind;
  let known = masks.get(nodeKinds);
  if (known === undefined) {
    known = new Map();
    masks.set(nodeKinds, known);
  }
  const key = demand?.key ?? '';
  let mask = known.get(key);
  if (mask === undefined) {
    mask = 0;
    for (let i = 0; i < nodeKinds.kinds.length; i++)
      if (ruledOutBy(nodeKinds, i, demand) === undefined) mask |= 1 << i;
    if (known.size >= masksMax) known.clear();
    known.set(key, mask);
  }
  return mask;
}

const masksMax = 64;
const masks = new WeakMap<NodeKinds, Map<string, KindMask>>();

/** Whether replicas of another demand may come to nodes that those of this one may run on. */
export function meeting(
  nodeKinds: NodeKinds | undefined,
  demand: NodeDemand | undefined,
): (other: NodeDemand | undefined) => boolean {
  if (nodeKinds === undefined) return () => true;
  const own = kindsFor(nodeKinds, demand);
  return (other) => (own & kindsFor(nodeKinds, other)) !== 0;
}

export function includesKind(mask: KindMask, kind: number | undefined): boolean {
  return kind === undefined || kind >= nodeKindsMax || (mask & (1 << kind)) !== 0;
}

/** What keeps a replica off nodes of the kind, in words; undefined: nothing that is known. */
export function ruledOutBy(
  { kinds, untold }: NodeKinds,
  kind: number,
  demand: NodeDemand | undefined,
): string | undefined {
  const { labels, taints } = kinds[kind] as NodeKind;
  const { nodeSelector = {}, terms, tolerations = [] } = demand ?? {};
  const holds = (requirement: NodeRequirement): boolean =>
    isUntold(requirement.key, labels, untold) || meets(labels.get(requirement.key), requirement);
  for (const key in nodeSelector) {
    const value = nodeSelector[key] as string;
    if (!holds({ key, operator: 'In', values: [value] })) return `nodeSelector ${key}=${value}`;
  }
  const termHolds = ({ expressions }: NodeTerm): boolean => expressions.every(holds);
  if (terms !== undefined && !terms.some(termHolds)) return 'nodeAffinity';
  const taint = taints.find((one) => !tolerations.some((toleration) => tolerates(toleration, one)));
  return taint === undefined ? undefined : `taint ${taintText(taint)}`;
}

/** `3 of 5 nodes are ruled out: 2 by nodeSelector disk=ssd, 1 by taint a:NoSchedule`; '' where none is. */
export function ruledOutText(
  { nodeRoom = [], nodeKinds }: Pick<CellInfo, 'nodeRoom' | 'nodeKinds'>,
  demand: NodeDemand | undefined,
): string {
  if (nodeKinds === undefined) return '';
  const byCause = new Map<string, number>();
  let all = 0;
  let out = 0;
  for (const { nodes, kind } of nodeRoom) {
    all += nodes;
    const cause =
      kind === undefined || nodeKinds.kinds[kind] === undefined
        ? undefined
        : ruledOutBy(nodeKinds, kind, demand);
    if (cause === undefined) continue;
    out += nodes;
    byCause.set(cause, (byCause.get(cause) ?? 0) + nodes);
  }
  if (out === 0) return '';
  const causes = [...byCause].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const text = `${out} of ${all} nodes ${all === 1 ? 'is' : 'are'} ruled out`;
  const [only] = causes;
  if (causes.length === 1 && only !== undefined) return `${text} by ${only[0]}`;
  return `${text}: ${causes.map(([cause, nodes]) => `${nodes} by ${cause}`).join(', ')}`;
}

function isUntold(key: string, labels: NodeKind['labels'], untold: ReadonlySet<string>): boolean {
  return !labels.has(key) && (untold.has(key) || untold.has('*'));
}

/** apimachinery, labels.Requirement.Matches. */
function meets(value: string | undefined, { operator, values }: NodeRequirement): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [told, asked] = [integerOf(value), integerOf(values[0])];
      if (told === undefined || asked === undefined || values.length !== 1) return false;
      return operator === 'Gt' ? told > asked : told < asked;
    }
    default:
      return false;
  }
}

/** As strconv.ParseInt(…, 10, 64) reads it. */
function integerOf(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = BigInt(text.replace('+', ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}
