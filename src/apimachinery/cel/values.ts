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

/** A map made by an expression. */
export class NativeMap extends CelMap {
  readonly #entries = new Map<
    string | number | bigint | boolean,
    { readonly key: Value; readonly value: Value }
  >();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    const index = mapIndex(key);
    return index === undefined ? undefined : this.#entries.get(index)?.value;
  }

  keys(): readonly Value[] {
    return [...this.#entries.values()].map(({ key }) => key);
  }

  /** False when the key is there already; undefined when it cannot be a key. */
  add(key: Value, value: Value): boolean | undefined {
    const index = mapIndex(key);
    if (index === undefined || typeof key === 'number') return undefined;
    if (this.#entries.has(index)) return false;
    this.#entries.set(index, { key, value });
    return true;
  }

  override toString(): string {
    return '{}';
  }
}

/** Equal numbers of all types are one key. */
function mapIndex(key: Value): string | bigint | boolean | undefined {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint') return key;
  if (key instanceof Uint) return key.value;
  if (typeof key === 'number' && Number.isInteger(key)) return BigInt(key);
  return undefined;
}
