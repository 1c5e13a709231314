import { type CellScore, cellScoresGvr } from '#api/federation/cell-score.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { NamedScore } from '../algorithm/cell.ts';

export interface CellScoresOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is said of a cell changed; undefined: nothing is any more. */
  readonly onScores: (cell: string, scores: ReadonlyMap<string, NamedScore> | undefined) => void;
}

/** What controllers outside say of cells (CellScore, PLACEMENT.md 4). Of one score told twice that which holds longest counts. */
export class CellScores {
  readonly #informer: Informer;
  readonly #byCell = new Map<string, Map<string, CellScore>>();
  readonly #options: CellScoresOptions;

  constructor(options: CellScoresOptions) {
    this.#options = options;
    const { client, clock, logger } = options;
    const collection = { cluster: cellsWorkspacePath, gvr: cellScoresGvr };
    this.#informer = new Informer({ client, clock, logger, collection });
    this.#informer.addHandler({
      onAdd: (object) => this.#put(object, undefined),
      onUpdate: (object, old) => this.#put(object, old),
      onDelete: (old) => this.#put(undefined, old),
    });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  #put(now: KubeObject | undefined, old: KubeObject | undefined): void {
    const before = (old as CellScore | undefined)?.spec.cell;
    const after = (now as CellScore | undefined)?.spec.cell;
    const name = (now ?? old)?.metadata.name ?? '';
    if (before !== undefined && before !== after) {
      this.#byCell.get(before)?.delete(name);
      this.#tell(before);
    }
    if (after === undefined) return;
    let told = this.#byCell.get(after);
    if (told === undefined) {
      told = new Map();
      this.#byCell.set(after, told);
    }
    told.set(name, now as CellScore);
    this.#tell(after);
  }

  #tell(cell: string): void {
    const told = this.#byCell.get(cell);
    if (told === undefined || told.size === 0) {
      this.#byCell.delete(cell);
      this.#options.onScores(cell, undefined);
      return;
    }
    this.#options.onScores(cell, scoresOf(told.values()));
  }
}

/** What is said of one cell, among what is said of all. */
export function namedScores(all: readonly CellScore[], cell: string): ReadonlyMap<string, NamedScore> {
  return scoresOf(all.filter(({ spec }) => spec.cell === cell));
}

function scoresOf(told: Iterable<CellScore>): Map<string, NamedScore> {
  const scores = new Map<string, NamedScore>();
  for (const { spec } of told) {
    const untilMs = spec.validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(spec.validUntil);
    const validUntilMs = Number.isNaN(untilMs) ? 0 : untilMs;
    for (const { name, value } of spec.scores) {
      const present = scores.get(name);
      if (present === undefined || present.validUntilMs < validUntilMs)
        scores.set(name, { value, validUntilMs });
    }
  }
  return scores;
}
