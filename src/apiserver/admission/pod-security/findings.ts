import { objectsAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';

/** What a check looks at. */
export interface CheckedPod {
  readonly annotations: { readonly [key: string]: string };
  readonly spec: JsonObject;
}

/** What a pod is refused for: in short, and where. */
export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

/** Looks at a pod; undefined when there is nothing to find. */
export type Check = (pod: CheckedPod) => Finding | undefined;

/** Init containers, containers, ephemeral containers. */
export function containersOf(spec: JsonObject): JsonObject[] {
  return [
    ...objectsAt(spec, 'initContainers'),
    ...objectsAt(spec, 'containers'),
    ...objectsAt(spec, 'ephemeralContainers'),
  ];
}

/** The names of those containers that are meant. */
export function namesOf(spec: JsonObject, isMeant: (container: JsonObject) => boolean): string[] {
  return containersOf(spec)
    .filter(isMeant)
    .map((container) => textAt(container, 'name'));
}

/** `"a", "b"`. */
export function quoted(items: readonly string[]): string {
  return items.length === 0 ? '' : `"${items.join('", "')}"`;
}

export function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}

/** `container "a"`, `containers "a", "b"`. */
export function containersText(names: readonly string[]): string {
  return `${plural(names.length, 'container', 'containers')} ${quoted(names)}`;
}

/** Who set something wrong: the pod, its containers, or both. */
export function settersText(pod: boolean, containers: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [containersText(containers)] : [])].join(
    ' and ',
  );
}

/** In byte order, each once. */
export function sorted(items: Iterable<string>): string[] {
  return [...new Set(items)].sort();
}
