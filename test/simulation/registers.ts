import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { findViolation, type HistoryEntry } from './linearizability.ts';
import { askRegister, contentOf, refOf } from './register-client.ts';
import type { World } from './world/world.ts';

const clientsCount = 3;
const registersCount = 3;
const restMsMax = 300;

/**
 * Objects that several people read and write, each over whichever server answers: what any of them is told, whatever server lags or
 * is cut off, is what one server alone would have told (docs/operations.md, Several API servers). A put-back begins them anew.
 */
export class Registers {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #random: Random;
  #epoch = 0;
  #histories = new Map<string, HistoryEntry[]>();
  #writes = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** What was acknowledged may be gone, and with it the meaning of what was told. */
  putBack(): void {
    this.#epoch++;
    this.#histories.clear();
  }

  /** Until the signal; then all of it is judged. */
  async run(signal: AbortSignal): Promise<void> {
    const people = Array.from({ length: clientsCount }, () => this.#world.literalClient());
    const running = people.map((client) => this.#runOne(client, this.#random.fork(), signal));
    await Promise.all(running);
    // Nothing of theirs is under way any more that was not given up.
    for (const key of this.#keys()) await this.#readLast(people[0] as KubeClient, key);
    for (const [key, history] of this.#histories) this.#judge(key, history);
  }

  #keys(): string[] {
    return Array.from({ length: registersCount }, (_, i) => `register-${this.#epoch}-${i}`);
  }

  async #runOne(client: KubeClient, random: Random, signal: AbortSignal): Promise<void> {
    const { time } = this.#world;
    const last = new Map<string, KubeObject>();
    while (!signal.aborted) {
      const key = random.pick(this.#keys());
      await this.#ask(key, () => askRegister(client, key, `v${++this.#writes}`, random.next(), last));
      await time.sleep(random.next() * restMsMax);
    }
  }

  async #ask(key: string, ask: () => ReturnType<typeof askRegister>): Promise<void> {
    const { time } = this.#world;
    const epoch = this.#epoch;
    const startMs = time.nowMs;
    const asked = await ask();
    if (asked === undefined || epoch !== this.#epoch) return;
    const history = this.#histories.get(key) ?? [];
    history.push({ call: asked.call, startMs, endMs: time.nowMs });
    this.#histories.set(key, history);
  }

  async #readLast(client: KubeClient, key: string): Promise<void> {
    await this.#ask(key, async () => {
      const value = await client.get(refOf(key)).then(contentOf, () => undefined);
      return value === undefined ? undefined : { call: { type: 'read', value } };
    });
  }

  #judge(key: string, history: readonly HistoryEntry[]): void {
    const found = findViolation(history);
    if (found === undefined) return;
    const show = ({ call, startMs, endMs }: HistoryEntry): string =>
      `  ${Math.round(startMs)}-${Math.round(endMs)} ms ${JSON.stringify(call)}`;
    this.violations.push(
      [
        `${key}: no order of the calls explains all answers. Explained:`,
        ...found.explained.slice(-12).map(show),
        ' what could not follow:',
        ...found.stuckAt.map(show),
      ].join('\n'),
    );
  }
}
