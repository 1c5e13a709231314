import type { Outcome } from '../algorithm/decision.ts';
import type { KeyStates } from '../key-state.ts';
import { type ProjectObjectKey, splitKey } from '../object-key.ts';
import type { RoomTurns, Waiting } from './room-turns.ts';

/** Asks for decisions about objects that were decided, where what they rested on has changed. */
export class Waking {
  readonly #states: KeyStates;
  readonly #turns: RoomTurns;
  readonly #wake: (key: ProjectObjectKey) => void;

  constructor(states: KeyStates, turns: RoomTurns, wake: (key: ProjectObjectKey) => void) {
    this.#states = states;
    this.#turns = turns;
    this.#wake = wake;
  }

  /** `namespace` undefined: of all that the project has. */
  *keysIn(cluster: string, namespace: string | undefined): IterableIterator<ProjectObjectKey> {
    for (const key of this.#states.keysIn(cluster))
      if (namespace === undefined || splitKey(key).namespace === namespace) yield key;
  }

  /** Of these the ones whose decision had this outcome, the most important first. */
  where(keys: Iterable<ProjectObjectKey>, outcome: Outcome): void {
    const waiting: Waiting[] = [];
    for (const key of keys) {
      const state = this.#states.get(key);
      if (state?.outcome === outcome) waiting.push({ key, priority: state.priority });
    }
    waiting.sort((a, b) => b.priority - a.priority);
    if (outcome === 'QuotaExceeded') this.#turns.call(waiting);
    for (const { key } of waiting) this.#wake(key);
  }

  /** One that is decided and has not what it asks for. */
  unplaced(key: ProjectObjectKey): void {
    const outcome = this.#states.get(key)?.outcome;
    if (outcome !== undefined && outcome !== 'Scheduled') this.#wake(key);
  }
}
