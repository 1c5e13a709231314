import type { KeyParts, ProjectObjectKey } from '../object-key.ts';
import { keyOf, splitKey } from '../object-key.ts';

/**
 * Which bound objects were looked at since the start. What adds up over a namespace or a project (affinity groups, quotas) is
 * complete once all that were bound there have been, what adds up over cells once all have; until then nothing grows by it.
 * Bounded by the bindings stored at the start.
 */
export class SeenBindings {
  readonly #unseen = new Map<string, Set<ProjectObjectKey>>();
  readonly #waiting = new Map<string, Set<ProjectObjectKey>>();
  readonly #waitingForAll = new Set<ProjectObjectKey>();
  /** By project: the places in it that are not complete, and who waits for all of them. */
  readonly #unseenIn = new Map<string, Set<string>>();
  readonly #waitingForProject = new Map<string, Set<ProjectObjectKey>>();
  readonly #wake: (key: ProjectObjectKey) => void;

  constructor(wake: (key: ProjectObjectKey) => void) {
    this.#wake = wake;
  }

  /** To be called before anything of these projects is looked at, and again when they come back. */
  expect(bound: Iterable<KeyParts>, owns: (cluster: string) => boolean = () => true): void {
    for (const parts of bound) {
      if (!owns(parts.cluster)) continue;
      const at = placeOf(parts);
      const keys = this.#unseen.get(at);
      if (keys === undefined) {
        this.#unseen.set(at, new Set([keyOf(parts)]));
        addTo(this.#unseenIn, parts.cluster, at);
      } else keys.add(keyOf(parts));
    }
  }

  /** Looked at, with success or without. */
  see(key: ProjectObjectKey): void {
    if (this.#unseen.size === 0) return;
    const at = placeOf(splitKey(key));
    const keys = this.#unseen.get(at);
    if (keys?.delete(key) !== true || keys.size > 0) return;
    this.#unseen.delete(at);
    const waiting = [...(this.#waiting.get(at) ?? [])];
    this.#waiting.delete(at);
    const { cluster } = splitKey(key);
    const inProject = this.#unseenIn.get(cluster);
    inProject?.delete(at);
    if (inProject?.size === 0) {
      this.#unseenIn.delete(cluster);
      waiting.push(...(this.#waitingForProject.get(cluster) ?? []));
      this.#waitingForProject.delete(cluster);
    }
    if (this.#unseen.size === 0) {
      waiting.push(...this.#waitingForAll);
      this.#waitingForAll.clear();
    }
    for (const one of waiting) this.#wake(one);
  }

  /** All of all projects were; else the key is woken when they will have been. */
  isAllComplete(key: ProjectObjectKey): boolean {
    if (this.#unseen.size === 0) return true;
    this.#waitingForAll.add(key);
    return false;
  }

  /** All of the key's project were; else the key is woken when they will have been. */
  isProjectComplete(key: ProjectObjectKey): boolean {
    const { cluster } = splitKey(key);
    if (!this.#unseenIn.has(cluster)) return true;
    addTo(this.#waitingForProject, cluster, key);
    return false;
  }

  /** All of the key's namespace were; else the key is woken when they will have been. */
  isComplete(key: ProjectObjectKey): boolean {
    const at = placeOf(splitKey(key));
    const keys = this.#unseen.get(at);
    if (keys === undefined || (keys.size === 1 && keys.has(key))) return true;
    addTo(this.#waiting, at, key);
    return false;
  }
}

function addTo<Value>(sets: Map<string, Set<Value>>, at: string, value: Value): void {
  const set = sets.get(at);
  if (set === undefined) sets.set(at, new Set([value]));
  else set.add(value);
}

function placeOf({ cluster, namespace }: KeyParts): string {
  return `${cluster}|${namespace}`;
}
