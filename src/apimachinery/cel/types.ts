import type { Decl } from './decl.ts';

export type TypeKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'list'
  | 'map'
  | 'type'
  | 'optional'
  | 'object'
  | 'opaque'
  | 'param';

/** A static type of the checker; as a value it is what `type(x)` gives. */
export class CelType {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly CelType[];
  /** Of objects: their fields. */
  readonly decl: Decl | undefined;

  constructor(kind: TypeKind, name: string, params: readonly CelType[] = [], decl?: Decl) {
    this.kind = kind;
    this.name = name;
    this.params = params;
    this.decl = decl;
  }

  toString(): string {
    return this.params.length === 0 ? this.name : `${this.name}(${this.params.join(', ')})`;
  }
}

export const dynType = new CelType('dyn', 'dyn');
export const errorType = new CelType('error', '!error!');
export const nullType = new CelType('null', 'null_type');
export const boolType = new CelType('bool', 'bool');
export const intType = new CelType('int', 'int');
export const uintType = new CelType('uint', 'uint');
export const doubleType = new CelType('double', 'double');
export const stringType = new CelType('string', 'string');
export const bytesType = new CelType('bytes', 'bytes');
export const timestampType = new CelType('timestamp', 'google.protobuf.Timestamp');
export const durationType = new CelType('duration', 'google.protobuf.Duration');
/** Without parameters, as values: what `type([1])`, `type({})` give. */
export const listType = new CelType('list', 'list');
export const mapType = new CelType('map', 'map');
export const typeType = new CelType('type', 'type');
export const optionalType = new CelType('optional', 'optional_type');

export const listOf = (element: CelType): CelType => new CelType('list', 'list', [element]);
export const mapOf = (key: CelType, value: CelType): CelType => new CelType('map', 'map', [key, value]);
export const typeOfType = (type: CelType): CelType => new CelType('type', 'type', [type]);
export const optionalOf = (type: CelType): CelType => new CelType('optional', 'optional_type', [type]);
export const opaque = (name: string): CelType => new CelType('opaque', name);

const simple: readonly CelType[] = [
  dynType,
  boolType,
  intType,
  uintType,
  doubleType,
  stringType,
  bytesType,
  nullType,
];
const byName = new Map<string, CelType>(simple.map((type) => [type.name, type]));
byName.set('timestamp', timestampType);
byName.set('duration', durationType);
byName.set('type', typeType);

const opaques = new Map<string, CelType>();

/** The one type object of an opaque type. */
export function opaqueNamed(name: string): CelType {
  let type = opaques.get(name);
  if (type === undefined) {
    type = opaque(name);
    opaques.set(name, type);
  }
  return type;
}

/** Parses `list(A)`, `map(string, dyn)`, `net.IP`: one capital letter is a type parameter. */
export function parseType(text: string): CelType {
  const open = text.indexOf('(');
  if (open < 0) {
    if (/^[A-Z]$/.test(text)) return new CelType('param', text);
    return byName.get(text) ?? opaqueNamed(text);
  }
  const name = text.slice(0, open);
  const params = splitTypes(text.slice(open + 1, -1)).map(parseType);
  const [first, second] = params as [CelType, CelType];
  if (name === 'list') return listOf(first);
  if (name === 'map') return mapOf(first, second);
  if (name === 'optional') return optionalOf(first);
  if (name === 'type') return typeOfType(first);
  throw new TypeError(`no type ${text}`);
}

/** `a, map(b, c)` → `a`, `map(b, c)`. */
export function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    if ((char === ',' && depth === 0) || i === text.length) {
      const part = text.slice(from, i).trim();
      if (part !== '') parts.push(part);
      from = i + 1;
    }
  }
  return parts;
}

/** What type parameters stand for, found while a call is checked. */
export class Substitution {
  readonly #bound = new Map<string, CelType>();

  /** The type with its outermost parameter replaced. */
  resolve(type: CelType): CelType {
    let resolved = type;
    while (resolved.kind === 'param') {
      const bound = this.#bound.get(resolved.name);
      if (bound === undefined) return resolved;
      resolved = bound;
    }
    return resolved;
  }

  /** The type with all parameters replaced; those that stand for nothing become `dyn` when asked so. */
  apply(type: CelType, freeBecomeDyn: boolean): CelType {
    const resolved = this.resolve(type);
    if (resolved.kind === 'param') return freeBecomeDyn ? dynType : resolved;
    if (resolved.params.length === 0) return resolved;
    const params = resolved.params.map((param) => this.apply(param, freeBecomeDyn));
    if (params.every((param, index) => param === resolved.params[index])) return resolved;
    return new CelType(resolved.kind, resolved.name, params, resolved.decl);
  }

  snapshot(): ReadonlyMap<string, CelType> {
    return new Map(this.#bound);
  }

  restore(snapshot: ReadonlyMap<string, CelType>): void {
    this.#bound.clear();
    for (const [name, type] of snapshot) this.#bound.set(name, type);
  }

  /** Whether a value of type `from` may stand where `to` is wanted; binds parameters on success. */
  assign(target: CelType, source: CelType): boolean {
    if (target === source) return true;
    if (target.kind === 'param') {
      const isBound = this.#bind(target, source);
      if (isBound !== undefined) return isBound;
    }
    if (source.kind === 'param') return this.#bind(source, target) === true;
    if (target.kind === 'dyn' || source.kind === 'dyn') return true;
    if (target.kind === 'error' || source.kind === 'error') return true;
    if (source.kind === 'null') return isNullable(target);
    if (target.kind === 'null') return isNullable(source);
    if (target.kind !== source.kind || target.name !== source.name) return false;
    if (target.kind === 'object') return target.decl === source.decl;
    // `type` alone is any type's type.
    if (target.kind === 'type') return true;
    if (target.params.length !== source.params.length) return false;
    return target.params.every((param, index) => this.assign(param, source.params[index] as CelType));
  }

  /**
   * Whether the parameter may stand for the type: from then on for the more general of the two where it stands for another
   * already, as an element's type does in `[1] + ofAnyType` (cel-go checker/types.go). Undefined: not, and it stands for none.
   */
  #bind(param: CelType, type: CelType): boolean | undefined {
    if (type.kind === 'param' && type.name === param.name) return true;
    const bound = this.#bound.get(param.name);
    if (bound === undefined) {
      if (this.#occurs(param.name, type)) return undefined;
      this.#bound.set(param.name, type);
      return true;
    }
    if (bound === type || sameType(bound, type)) return true;
    if (!this.assign(bound, type)) return false;
    const general = isAsGeneral(type, bound) ? type : bound;
    if (!this.#occurs(param.name, general)) this.#bound.set(param.name, general);
    return true;
  }

  #occurs(name: string, type: CelType): boolean {
    const resolved = this.resolve(type);
    if (resolved.kind === 'param') return resolved.name === name;
    return resolved.params.some((param) => this.#occurs(name, param));
  }
}

/** What null may be compared with and assigned to (CEL specification, Type checking). */
function isNullable(type: CelType): boolean {
  switch (type.kind) {
    case 'object':
    case 'opaque':
    case 'optional':
    case 'timestamp':
    case 'duration':
    case 'null':
      return true;
    default:
      return false;
  }
}

/** Whether `a` leaves open whatever `b` leaves open (checker/types.go isEqualOrLessSpecific). */
export function isAsGeneral(a: CelType, b: CelType): boolean {
  // `null` is a value of others and makes none of them (the specification's type_deductions, where cel-go 0.26 differs).
  if (a.kind === 'dyn' || a.kind === 'param' || b.kind === 'null') return true;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'type':
      return true;
    case 'list':
    case 'map':
    case 'optional':
      return a.params.every((param, index) => isAsGeneral(param, b.params[index] as CelType));
    default:
      return sameType(a, b);
  }
}

export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name || a.decl !== b.decl || a.params.length !== b.params.length)
    return false;
  return a.params.every((param, index) => sameType(param, b.params[index] as CelType));
}
