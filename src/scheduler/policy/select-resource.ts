import type { LabelSelectorSpec, ResourceSelector } from '#api/policy/placement.ts';
import { type LabelSelector, labelSelectorOf, nothing } from '#apimachinery/label-selector.ts';

/** What selectors look at. */
export interface SelectableObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** How closely a selector names an object; higher wins (PLACEMENT.md 1: name > labels > kind). */
export type Specificity = 0 | 1 | 2 | 3;

export const specificity = { none: 0, kind: 1, labels: 2, name: 3 } as const satisfies Record<
  string,
  Specificity
>;

const compiled = new WeakMap<LabelSelectorSpec, LabelSelector>();

function labelsOf(spec: LabelSelectorSpec): LabelSelector {
  let selector = compiled.get(spec);
  if (selector === undefined) {
    try {
      selector = labelSelectorOf(spec);
    } catch {
      selector = nothing; // refused by validation; what is stored all the same selects nothing
    }
    compiled.set(spec, selector);
  }
  return selector;
}

/** How closely one selector names the object; none when it does not. */
export function matchSelector(selector: ResourceSelector, object: SelectableObject): Specificity {
  if (selector.kind !== object.kind || selector.apiVersion !== object.apiVersion) return specificity.none;
  return matchIdentity(selector, object);
}

/** Like `matchSelector`, of an object whose kind is the selector's. */
export function matchIdentity(
  selector: ResourceSelector,
  object: Omit<SelectableObject, 'apiVersion' | 'kind'>,
): Specificity {
  const { namespace = '', name = '', labelSelector } = selector;
  if (namespace !== '' && namespace !== object.namespace) return specificity.none;
  if (name !== '') return name === object.name ? specificity.name : specificity.none;
  if (labelSelector === undefined) return specificity.kind;
  return labelsOf(labelSelector).matches(object.labels) ? specificity.labels : specificity.none;
}

/** The closest of several. */
export function matchSelectors(
  selectors: readonly ResourceSelector[],
  object: SelectableObject,
): Specificity {
  let best: Specificity = specificity.none;
  for (const selector of selectors) {
    const match = matchSelector(selector, object);
    if (match > best) best = match;
  }
  return best;
}
