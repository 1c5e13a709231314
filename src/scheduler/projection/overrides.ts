import type {
  CommandArgsOverrider,
  ImageOverrider,
  LabelAnnotationOverrider,
  OverrideRule,
  Overriders,
  OverrideSpec,
} from '#api/policy/placement.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type CellPredicate, compileAffinity } from '../algorithm/affinity.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import { matchSelectors, type SelectableObject, specificity } from '../policy/select-resource.ts';
import { overrideText } from './embedded-text.ts';
import { overrideImage } from './image.ts';
import { patchAt, readPointer } from './json-pointer.ts';
import { resourceKey } from './kinds.ts';
import { podSpecPaths } from './reference-table.ts';

/** An OverridePolicy, or a ClusterOverridePolicy where it has no namespace. */
export interface OverrideSource {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly spec: OverrideSpec;
  /** Depth of the workspace above the project that it stands in; undefined for the project's own. */
  readonly inheritedFrom?: number | undefined;
}

/** Rules that concern one object, in the order in which they apply. */
export type OverrideChain = readonly {
  readonly rule: OverrideRule;
  readonly matches: CellPredicate;
  readonly overriders: Overriders;
  /** The policy that it is of, in words; undefined where only the rule was kept. */
  readonly from: string | undefined;
}[];

/**
 * Which rules concern an object: cluster-scoped policies first, then the namespace's own; within these the less specific
 * first, then by name; within a policy in its own order (PLACEMENT.md 1, Overrides). Inherited ones come last, the outermost
 * workspace's at the end, so that a project cannot undo them.
 */
export function overrideChain(sources: Iterable<OverrideSource>, object: SelectableObject): OverrideChain {
  const matching: { source: OverrideSource; match: number }[] = [];
  for (const source of sources) {
    if (source.namespace !== undefined && source.namespace !== object.namespace) continue;
    const selectors = source.spec.resourceSelectors ?? [];
    const match = selectors.length === 0 ? specificity.kind : matchSelectors(selectors, object);
    // No selector at all means everything, which is less specific than a kind.
    if (match !== specificity.none) matching.push({ source, match: selectors.length === 0 ? 0 : match });
  }
  matching.sort(
    (a, b) =>
      (b.source.inheritedFrom ?? innermost) - (a.source.inheritedFrom ?? innermost) ||
      Number(a.source.namespace !== undefined) - Number(b.source.namespace !== undefined) ||
      a.match - b.match ||
      (a.source.name < b.source.name ? -1 : a.source.name > b.source.name ? 1 : 0),
  );
  return matching.flatMap(({ source }) => overridesOfRules(rulesOf(source.spec), sourceText(source)));
}

function sourceText({ name, namespace, inheritedFrom }: OverrideSource): string {
  const above = inheritedFrom === undefined ? '' : ' above the project';
  return `${namespace === undefined ? 'ClusterOverridePolicy' : 'OverridePolicy'} ${name}${above}`;
}

/** All rules of a policy, those of the older form last. */
export function rulesOf({
  overrideRules = [],
  targetCluster,
  overriders,
}: OverrideSpec): readonly OverrideRule[] {
  if (overriders === undefined) return overrideRules;
  return [...overrideRules, { ...(targetCluster === undefined ? {} : { targetCluster }), overriders }];
}

/** Rules made ready to be applied. */
export function overridesOfRules(rules: readonly OverrideRule[], from?: string): OverrideChain {
  return rules.map((rule) => ({
    rule,
    matches: compileAffinity(rule.targetCluster),
    overriders: rule.overriders,
    from,
  }));
}

/** The inverse. */
export function overrideRulesOf(chain: OverrideChain): OverrideRule[] {
  return chain.map(({ rule }) => rule);
}

/** Deeper than any workspace. */
const innermost = 1_000;

/**
 * Applies the rules that name this cell, in place: image, command, args, labels, annotations, embedded text, then JSON patch. Returns
 * what could not be applied, one line each; the rest is applied all the same, as Karmada does not.
 */
export function applyOverrides(
  object: KubeObject,
  resource: { readonly group: string; readonly resource: string },
  cell: CellInfo,
  chain: OverrideChain,
): string[] {
  const errors: string[] = [];
  const isConcerned = chain.some(({ matches }) => matches(cell));
  if (!isConcerned) return errors;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace } = metadata;
  for (const { matches, overriders, from } of chain) {
    if (!matches(cell)) continue;
    const toldBefore = errors.length;
    const podPath = podSpecPaths[resourceKey(resource.group, resource.resource)];
    const pod = podPath === undefined ? undefined : readPointer(object, `/${podPath.replaceAll('.', '/')}`);
    for (const overrider of overriders.imageOverrider ?? []) overrideImages(object, pod, overrider, errors);
    for (const overrider of overriders.commandOverrider ?? []) overrideWords(pod, 'command', overrider);
    for (const overrider of overriders.argsOverrider ?? []) overrideWords(pod, 'args', overrider);
    for (const overrider of overriders.labelsOverrider ?? []) overrideMap(object, 'labels', overrider);
    for (const overrider of overriders.annotationsOverrider ?? [])
      overrideMap(object, 'annotations', overrider);
    for (const overrider of overriders.fieldOverrider ?? []) errors.push(...overrideText(object, overrider));
    for (const { path, operator, value } of overriders.plaintext ?? []) {
      const error = patchAt(object, path, operator, value);
      if (error !== undefined) errors.push(error);
    }
    for (let i = toldBefore; from !== undefined && i < errors.length; i++)
      errors[i] = `${from}: ${errors[i]}`;
  }
  // Whatever a patch did, the copy stays the copy of this object.
  object.apiVersion = apiVersion;
  object.kind = kind;
  if (!isJsonObject(object.metadata)) object.metadata = metadata;
  if (name !== undefined) object.metadata.name = name;
  if (namespace !== undefined) object.metadata.namespace = namespace;
  delete object['status'];
  return errors;
}

/** With a predicate the one image that it points at, else those of all containers. */
function overrideImages(
  object: KubeObject,
  pod: JsonValue | undefined,
  { predicate, component, operator, value }: ImageOverrider,
  errors: string[],
): void {
  if (predicate !== undefined) {
    const image = readPointer(object, predicate.path);
    if (typeof image !== 'string') {
      errors.push(`${predicate.path}: no image is there`);
      return;
    }
    patchAt(object, predicate.path, 'replace', overrideImage(image, component, operator, value));
    return;
  }
  for (const container of containersOf(pod)) {
    const image = container['image'];
    if (typeof image === 'string') container['image'] = overrideImage(image, component, operator, value);
  }
}

function containersOf(pod: JsonValue | undefined): JsonObject[] {
  if (!isJsonObject(pod)) return [];
  return [pod['containers'], pod['initContainers']].flatMap((list) =>
    Array.isArray(list) ? list.filter(isJsonObject) : [],
  );
}

function overrideWords(
  pod: JsonValue | undefined,
  field: 'command' | 'args',
  { containerName, operator, value = [] }: CommandArgsOverrider,
): void {
  for (const container of containersOf(pod)) {
    if (container['name'] !== containerName) continue;
    const words = Array.isArray(container[field]) ? container[field] : [];
    const next =
      operator === 'add' ? [...words, ...value] : words.filter((word) => !value.includes(word as string));
    if (next.length > 0) container[field] = next;
    else delete container[field];
  }
}

function overrideMap(
  object: KubeObject,
  field: 'labels' | 'annotations',
  { operator, value = {} }: LabelAnnotationOverrider,
): void {
  const map: { [key: string]: string } = { ...object.metadata[field] };
  for (const key in value) {
    if (operator === 'remove') delete map[key];
    else if (operator === 'add' || Object.hasOwn(map, key)) map[key] = value[key] as string;
  }
  object.metadata[field] = map;
}
