import { CelType, dynType } from './types.ts';

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
