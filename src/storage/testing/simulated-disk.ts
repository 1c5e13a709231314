import type {
  CreateDatabase,
  LevelDatabase,
  LevelIterator,
  LevelRange,
  LevelView,
  LevelWrite,
} from '../level/database.ts';

/** What the next batch does instead of succeeding; its caller sees a failure in either case. */
export type BatchFault = 'lost' | 'landed';

/**
 * A LevelDB in memory that tells what is on disk from what is only written: `crash` drops all batches that were not
 * synced. LevelDB itself cannot show this, since the operating system keeps what `kill -9` leaves behind.
 */
export class SimulatedDisk {
  #durable = new Map<string, Buffer>();
  #written = new Map<string, Buffer>();
  #holder: SimulatedDatabase | undefined;
  #boots = 0;
  /** Taken by the next batch. */
  nextFault: BatchFault | undefined;
  /** Opening fails so many times. */
  openFailures = 0;
  batches = 0;
  syncedBatches = 0;

  /** What makes databases for one run of the process; nothing made by it opens or writes after the next crash. */
  boot(): CreateDatabase {
    const boot = this.#boots;
    return () => new SimulatedDatabase(this, boot);
  }

  /** The machine goes down: handles are dead, unsynced batches gone. */
  crash(): void {
    this.#written = new Map(this.#durable);
    this.#holder = undefined;
    this.#boots++;
  }

  /** Keys of all that is written, in latin1. */
  names(): string[] {
    return [...this.#written.keys()];
  }

  /** Forgets everything written after `remember` was called, synced or not: a disk that lies. */
  remember(): () => void {
    const then = new Map(this.#written);
    return () => {
      this.#written = new Map(then);
      this.#durable = new Map(then);
    };
  }

  acquire(holder: SimulatedDatabase): void {
    if (this.openFailures > 0) {
      this.openFailures--;
      throw new Error('simulated: cannot open');
    }
    if (holder.boot !== this.#boots) throw new Error('simulated: this process is gone');
    if (this.#holder !== undefined) throw new Error('simulated: locked');
    this.#holder = holder;
  }

  release(holder: SimulatedDatabase): void {
    if (this.#holder === holder) this.#holder = undefined;
  }

  /** The state that `holder` sees. */
  state(holder: SimulatedDatabase): ReadonlyMap<string, Buffer> {
    if (this.#holder !== holder) throw new Error('simulated: not open');
    return this.#written;
  }

  write(holder: SimulatedDatabase, writes: readonly LevelWrite[], sync: boolean): void {
    this.state(holder);
    const fault = this.nextFault;
    this.nextFault = undefined;
    this.batches++;
    if (sync) this.syncedBatches++;
    if (fault !== 'lost') {
      const next = new Map(this.#written);
      for (const write of writes) {
        const name = write.key.toString('latin1');
        if (write.type === 'put') next.set(name, write.value);
        else next.delete(name);
      }
      this.#written = next;
      if (sync) this.#durable = next;
    }
    if (fault !== undefined) throw new Error('simulated: no space left on device');
  }
}

class SimulatedDatabase implements LevelDatabase {
  readonly boot: number;
  readonly #disk: SimulatedDisk;

  constructor(disk: SimulatedDisk, boot: number) {
    this.#disk = disk;
    this.boot = boot;
  }

  async open(): Promise<void> {
    await turn();
    this.#disk.acquire(this);
  }

  async close(): Promise<void> {
    await turn();
    this.#disk.release(this);
  }

  async batch(writes: readonly LevelWrite[], options: { readonly sync: boolean }): Promise<void> {
    const copies = writes.map(
      (write): LevelWrite => (write.type === 'put' ? { ...write, value: Buffer.from(write.value) } : write),
    );
    await turn();
    this.#disk.write(this, copies, options.sync);
    await turn();
  }

  async getMany(keys: Buffer[], view?: LevelView): Promise<(Buffer | undefined)[]> {
    const state = this.#stateOf(view);
    await turn();
    return keys.map((key) => state.get(key.toString('latin1')));
  }

  iterator({ view, gte, gt, lt }: LevelRange): LevelIterator {
    const state = this.#stateOf(view);
    const names = [...state.keys()].sort().filter((name) => {
      if (gte !== undefined && name < gte.toString('latin1')) return false;
      if (gt !== undefined && name <= gt.toString('latin1')) return false;
      return lt === undefined || name < lt.toString('latin1');
    });
    return {
      async nextv(size) {
        await turn();
        return names.splice(0, size).map((name) => [Buffer.from(name, 'latin1'), state.get(name) as Buffer]);
      },
      async close() {},
    };
  }

  view(): LevelView {
    return new SimulatedView(this.#disk.state(this));
  }

  async compactRange(): Promise<void> {
    await turn();
  }

  #stateOf(view: LevelView | undefined): ReadonlyMap<string, Buffer> {
    return view instanceof SimulatedView ? view.state : this.#disk.state(this);
  }
}

class SimulatedView implements LevelView {
  readonly state: ReadonlyMap<string, Buffer>;

  constructor(state: ReadonlyMap<string, Buffer>) {
    this.state = state;
  }

  async close(): Promise<void> {}
}

/** Lets other things happen, as a real disk would. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
