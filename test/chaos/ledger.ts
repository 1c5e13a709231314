import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/**
 * What clients were told by the API server, over all kills: acknowledged writes must be found again, resourceVersions
 * must not go back. Violations are kept rather than thrown, so that one does not hide the others.
 */
export class Ledger {
  readonly violations: string[] = [];
  writes = 0;
  unknownOutcomes = 0;
  #newest = 0n;
  #restores = 0;

  /** The newest revision that anyone was told. */
  get newest(): bigint {
    return this.#newest;
  }

  /** How often the store was put back to a backup: what was written before such a moment may hold anything after it. */
  get restores(): number {
    return this.#restores;
  }

  restored(): void {
    this.#restores++;
  }

  /** A revision that was read, or came with a write; `floor`: the newest one that was known before it was asked for. */
  saw(what: string, resourceVersion: string | undefined, floor: bigint, atLeast: 'same' | 'newer'): void {
    if (resourceVersion === undefined) return;
    const revision = BigInt(resourceVersion);
    if (revision < floor || (atLeast === 'newer' && revision === floor)) {
      this.violations.push(`${what}: resourceVersion ${revision} went back behind ${floor}`);
    }
    if (revision > this.#newest) this.#newest = revision;
  }

  violation(text: string): void {
    this.violations.push(text);
  }
}

/** One object that one writer alone writes, with what it may hold as far as that writer knows. */
export class Tracked<State> {
  readonly what: string;
  readonly #ledger: Ledger;
  readonly #read: () => Promise<KubeObject>;
  readonly #stateOf: (object: KubeObject) => State;
  readonly #text: (state: State | undefined) => string;
  /** More than one while the outcome of a write is unknown. `undefined`: the object is not there. */
  #possible: readonly (State | undefined)[] = [undefined];
  /** The restores that what is known rests on. */
  #asOf: number;

  constructor(
    what: string,
    ledger: Ledger,
    read: () => Promise<KubeObject>,
    stateOf: (object: KubeObject) => State,
  ) {
    this.what = what;
    this.#ledger = ledger;
    this.#read = read;
    this.#stateOf = stateOf;
    this.#asOf = ledger.restores;
    this.#text = (state) => (state === undefined ? 'absent' : JSON.stringify(state));
  }

  /** What it holds for certain. Only after `resolve`. */
  get state(): State | undefined {
    if (!this.isCertain) throw new Error(`${this.what} is not resolved`);
    return this.#possible[0];
  }

  /** Reads it and compares with what it may hold. False when the server cannot be reached now. */
  async resolve(): Promise<boolean> {
    const floor = this.#ledger.newest;
    const { restores } = this.#ledger;
    let found: State | undefined;
    try {
      const object = await this.#read();
      this.#ledger.saw(`${this.what} read`, object.metadata.resourceVersion, 0n, 'same');
      found = this.#stateOf(object);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) return this.#unreachable(error);
    }
    const known = this.#possible.map(this.#text);
    const wasReset = this.#asOf !== this.#ledger.restores;
    this.#asOf = restores;
    if (!wasReset && !known.includes(this.#text(found))) {
      this.#ledger.violation(
        `${this.what} holds ${this.#text(found)}, but must hold ${known.join(' or ')} (revision ${floor})`,
      );
    }
    this.#possible = [found];
    return true;
  }

  get isCertain(): boolean {
    return this.#possible.length === 1 && this.#asOf === this.#ledger.restores;
  }

  /** Sends a write that makes it `next`. Its outcome may stay unknown; a refusal that leaves all as it was is fine. */
  async write(next: State | undefined, send: () => Promise<KubeObject | JsonObject>): Promise<void> {
    const before = this.state;
    const floor = this.#ledger.newest;
    this.#possible = [before, next];
    try {
      const answer = await send();
      this.#possible = [next];
      this.#ledger.writes++;
      const { resourceVersion } = (answer['metadata'] ?? {}) as { resourceVersion?: string };
      if (next !== undefined && this.#text(next) !== this.#text(before)) {
        this.#ledger.saw(`${this.what} written`, resourceVersion, floor, 'newer');
      }
    } catch (error) {
      // A Conflict is told before anything happened: someone wrote the status meanwhile.
      if (isApiError(error, 'Conflict')) this.#possible = [before];
      // What it was decided by is gone: the backup may hold no such object, or one already, whose fields do not go with those that
      // are applied to it (two unnamed ports of a Service).
      else if (
        this.#asOf !== this.#ledger.restores &&
        isApiError(error, 'NotFound', 'AlreadyExists', 'Invalid')
      )
        return;
      else if (!this.#unreachable(error)) this.#ledger.unknownOutcomes++;
    }
  }

  /** Refusals are nothing that the load expects; whatever else may be a server that is not there. */
  #unreachable(error: unknown): false {
    if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
      this.#ledger.violation(`${this.what}: unexpected ${error.reason}: ${error.message}`);
    } else if (!(error instanceof ApiError)) throw error;
    return false;
  }
}
