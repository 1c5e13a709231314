import type { KeyParts, ProjectObjectKey } from '../object-key.ts';
import { keyOf, splitKey } from '../object-key.ts';

/**
 * Which bound objects were looked at since the start. What adds up over a namespace (affinity groups, quotas) is complete
 * once all that were bound there have been, what adds up over cells once all have; until then nothing grows by it. Bounded by the bindings stored at the start.
 */
export class SeenBindings {
  readonly #unseen = new Map<string, Set<ProjectObjectKey>>();
  readonly #waiting = new Map<string, Set<ProjectObjectKey>>();
  readonly #waitingForAll = new Set<ProjectObjectKey>();
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
      if (keys === undefined) this.#unseen.set(at, new Set([keyOf(parts)]));
      else keys.add(keyOf(parts));
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

  /** All of the key's namespace were; else the key is woken when they will have been. */
  isComplete(key: ProjectObjectKey): boolean {
    const at = placeOf(splitKey(key));
    const keys = this.#unseen.get(at);
    if (keys === undefined || (keys.size === 1 && keys.has(key))) return true;
    const waiting = this.#waiting.get(at);
    if (waiting === undefined) this.#waiting.set(at, new Set([key]));
    else waiting.add(key);
    return false;
  }
}

function placeOf({ cluster, namespace }: KeyParts): string {
  return `${cluster}|${namespace}`;
}
