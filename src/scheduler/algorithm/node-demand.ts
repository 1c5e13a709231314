import type { Toleration } from '#api/policy/placement.ts';
import type { NodeClaim } from '#api/work/resource-binding.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

export interface NodeRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** What hangs on a node's name is not judged by kinds of nodes. */
export interface NodeTerm {
  readonly expressions: readonly NodeRequirement[];
  readonly asksForName: boolean;
}

/** On which nodes a replica may run, by its pod template. */
export interface NodeDemand {
  /** Equal for equal demands. */
  readonly key: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Any of them is to hold; undefined: all nodes are right. */
  readonly terms: readonly NodeTerm[] | undefined;
  readonly tolerations: readonly Toleration[];
  /** As a binding tells it to other schedulers. */
  readonly claim: NodeClaim;
}

/** Undefined where the pod asks for nothing: it runs wherever no taint keeps it off. */
export function nodeDemandOf(pod: JsonObject | undefined): NodeDemand | undefined {
  if (pod === undefined) return undefined;
  const { nodeSelector, affinity, tolerations } = pod;
  const claim: NodeClaim = {};
  const nodeAffinity = isJsonObject(affinity) ? affinity['nodeAffinity'] : undefined;
  const required = isJsonObject(nodeAffinity)
    ? nodeAffinity['requiredDuringSchedulingIgnoredDuringExecution']
    : undefined;
  if (isJsonObject(required)) claim.hardNodeAffinity = required;
  if (isJsonObject(nodeSelector) && Object.keys(nodeSelector).length > 0)
    claim.nodeSelector = nodeSelector as { [key: string]: string };
  if (Array.isArray(tolerations) && tolerations.length > 0) claim.tolerations = tolerations as Toleration[];
  return demandOfClaim(claim);
}

export function demandOfClaim(claim: NodeClaim | undefined): NodeDemand | undefined {
  if (claim === undefined || Object.keys(claim).length === 0) return undefined;
  const { hardNodeAffinity, nodeSelector = {}, tolerations = [] } = claim;
  return {
    key: JSON.stringify([hardNodeAffinity, nodeSelector, tolerations]),
    nodeSelector,
    terms: hardNodeAffinity === undefined ? undefined : termsOf(hardNodeAffinity['nodeSelectorTerms']),
    tolerations,
    claim,
  };
}

/** A term without anything holds nowhere, nor does a list without terms (component-helpers, nodeaffinity.NewLazyErrorNodeSelector). */
function termsOf(terms: JsonValue | undefined): NodeTerm[] {
  if (!Array.isArray(terms)) return [];
  return terms
    .filter(isJsonObject)
    .map(({ matchExpressions, matchFields }) => ({
      expressions: requirementsOf(matchExpressions),
      asksForName: Array.isArray(matchFields) && matchFields.length > 0,
    }))
    .filter(({ expressions, asksForName }) => asksForName || expressions.length > 0);
}

function requirementsOf(list: JsonValue | undefined): NodeRequirement[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isJsonObject).map(({ key, operator, values }) => ({
    key: String(key),
    operator: String(operator),
    values: Array.isArray(values) ? values.map(String) : [],
  }));
}
