import type { CelType } from './types.ts';

/** A value at run time: `int` is a bigint, `double` a number. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | CelType
  | Optional
  | Opaque
  | CelFault;

/** What went wrong in an evaluation. A value, since `||` and `&&` may absorb it and throwing is slow. */
export class CelFault {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export const noOverload = new CelFault('no such overload');
export const unsupportedKeyType = new CelFault('unsupported key type');

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

export class Timestamp {
  /** Since 1970. */
  readonly nanos: bigint;
  /** Of the zone in which it is shown; reckoned with is UTC. */
  readonly offsetMinutes: number;

  constructor(nanos: bigint, offsetMinutes = 0) {
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value of a type that only functions look into: quantities, addresses, authorizers. */
export abstract class Opaque {
  abstract readonly type: CelType;
  abstract equals(other: Opaque): boolean;
  /** For cost; 1 where there is nothing to count. */
  get size(): number {
    return 1;
  }
}

export abstract class CelList {
  abstract readonly size: number;
  abstract at(index: number): Value;

  toArray(): Value[] {
    const values: Value[] = new Array(this.size);
    for (let i = 0; i < values.length; i++) values[i] = this.at(i);
    return values;
  }
}

export class ArrayList extends CelList {
  readonly values: readonly Value[];

  constructor(values: readonly Value[]) {
    super();
    this.values = values;
  }

  get size(): number {
    return this.values.length;
  }

  at(index: number): Value {
    return this.values[index] as Value;
  }

  override toArray(): Value[] {
    return [...this.values];
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  /** Undefined for an absent key. */
  abstract get(key: Value): Value | undefined;
  abstract keys(): readonly Value[];
}

interface Entry {
  readonly key: Value;
  readonly value: Value;
}

/** A map made by an expression: `1` and `1u` are two keys, each of which is found by the other where it stands alone. */
export class NativeMap extends CelMap {
  readonly #entries = new Map<string | bigint | boolean, Entry>();
  readonly #unsigned = new Map<bigint, Entry>();

  get size(): number {
    return this.#entries.size + this.#unsigned.size;
  }

  /** A key of this very type, else an equal number of another (cel-go common/types/map.go, refValMapAccessor.Find). */
  get(key: Value): Value | undefined {
    if (key instanceof Uint) return (this.#unsigned.get(key.value) ?? this.#entries.get(key.value))?.value;
    const index = typeof key === 'number' && Number.isInteger(key) ? BigInt(key) : key;
    if (typeof index === 'bigint') return (this.#entries.get(index) ?? this.#unsigned.get(index))?.value;
    return isTextOrTruth(index) ? this.#entries.get(index)?.value : undefined;
  }

  keys(): readonly Value[] {
    return [...this.#entries.values(), ...this.#unsigned.values()].map(({ key }) => key);
  }

  /** False when the key, or an equal number, is there already; undefined when it cannot be a key. */
  add(key: Value, value: Value): boolean | undefined {
    return this.get(key) === undefined ? this.set(key, value) : false;
  }

  /** Instead of what stands under this key, if anything does; undefined when it cannot be a key. */
  set(key: Value, value: Value): true | undefined {
    if (key instanceof Uint) this.#unsigned.set(key.value, { key, value });
    else if (typeof key === 'bigint' || isTextOrTruth(key)) this.#entries.set(key, { key, value });
    else return undefined;
    return true;
  }

  delete(key: Value): void {
    if (key instanceof Uint) this.#unsigned.delete(key.value);
    else if (typeof key === 'bigint' || isTextOrTruth(key)) this.#entries.delete(key);
  }

  override toString(): string {
    return '{}';
  }
}

const isTextOrTruth = (value: Value): value is string | boolean =>
  typeof value === 'string' || typeof value === 'boolean';
