import type {
  CallExpr,
  ComprehensionExpr,
  Expr,
  MapExpr,
  OptionalMapExpr,
  SelectExpr,
  StructExpr,
} from './ast.ts';
import type { Checked, ResolvedCall } from './checked.ts';
import type { CelEnvironment, StructType } from './environment.ts';
import type { Overload } from './functions/registry.ts';
import { AlikeParts, type LiteralPart } from './literal-parts.ts';
import { qualifiedName } from './parser.ts';
import { Scope } from './scope.ts';
import { shownType } from './shown-type.ts';
import { isAsGeneral, Substitution, sameType } from './substitution.ts';
import { CelTypeError, errorTexts, type Finding } from './type-errors.ts';
import { typeOf } from './type-of.ts';
import { TypeParams } from './type-params.ts';
import { boolType, type CelType, dynType, errorType, intType, listOf, mapOf, optionalOf } from './types.ts';

/** Checks types (CEL specification, Type checking). Throws CelTypeError. */
export function checkCel(expr: Expr, source: string, environment: CelEnvironment): Checked {
  return new Checker(source, environment).check(expr);
}

class Checker {
  readonly #source: string;
  readonly #environment: CelEnvironment;
  readonly #substitution = new Substitution();
  readonly #types = new Map<Expr, CelType>();
  readonly #calls = new Map<Expr, ResolvedCall>();
  readonly #structs = new Map<Expr, StructType>();
  readonly #scope: Scope;
  readonly #params = new TypeParams();
  readonly #errors: Finding[] = [];
  readonly #alike = new AlikeParts();
  /** In the arguments of `format`, which may be of different types anywhere (cel-go exempts them). */
  #mixes = false;

  constructor(source: string, environment: CelEnvironment) {
    this.#source = source;
    this.#environment = environment;
    this.#scope = new Scope(environment);
  }

  check(expr: Expr): Checked {
    this.#infer(expr);
    this.#throwErrors();
    const types = new Map<Expr, CelType>();
    for (const [node, type] of this.#types) types.set(node, this.#substitution.apply(type, true));
    return {
      expr,
      type: types.get(expr) as CelType,
      types,
      references: this.#scope.references,
      calls: this.#calls,
      structs: this.#structs,
      variables: this.#scope.used,
      unlike: this.#alike.unlike(types, this.#substitution),
    };
  }

  /** In the order in which they stand in the source. */
  #throwErrors(): void {
    if (this.#errors.length > 0) throw new CelTypeError(errorTexts(this.#source, this.#errors));
  }

  #error(at: number, message: string): CelType {
    this.#errors.push({ at, message });
    return errorType;
  }

  #shown(type: CelType): string {
    return shownType(type, this.#substitution);
  }

  #infer(expr: Expr): CelType {
    const type = this.#inferNew(expr);
    this.#types.set(expr, type);
    return type;
  }

  #inferNew(expr: Expr): CelType {
    switch (expr.kind) {
      case 'literal':
        return typeOf(expr.value);
      case 'ident':
        return this.#scope.typeOf(expr, expr.name) ?? this.#undeclared(expr.at, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr.elements);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return this.#comprehension(expr);
      case 'bind': {
        const value = this.#infer(expr.value);
        return this.#scope.within([[expr.name, value]], () => this.#infer(expr.body));
      }
      case 'optMap':
        return this.#optionalMap(expr);
    }
  }

  #undeclared(at: number, name: string): CelType {
    return this.#error(
      at,
      `undeclared reference to '${name}' (in container '${this.#environment.container}')`,
    );
  }

  #select(expr: SelectExpr): CelType {
    if (!expr.isTest && !expr.isOptional) {
      const qualified = this.#scope.qualified(expr);
      if (qualified !== undefined) return qualified;
    }
    const operand = this.#infer(expr.operand);
    const field = this.#field(operand, expr.field, expr.at);
    if (expr.isTest) return boolType;
    if (!expr.isOptional) return field;
    const resolved = this.#substitution.resolve(field);
    return resolved.kind === 'optional' ? resolved : optionalOf(field);
  }

  #field(operand: CelType, name: string, at: number): CelType {
    const type = this.#substitution.resolve(operand);
    switch (type.kind) {
      case 'error':
        return errorType;
      case 'dyn':
        return dynType;
      case 'param':
        this.#substitution.assign(type, dynType);
        return dynType;
      case 'map':
        return type.params[1] ?? dynType;
      case 'optional':
        return optionalOf(this.#field(type.params[0] ?? dynType, name, at));
      case 'object': {
        // Types that expressions make without a schema have whatever field is asked for.
        if (type.decl === undefined) return dynType;
        const field = type.decl.fields?.get(name);
        return field === undefined ? this.#error(at, `undefined field '${name}'`) : field.decl.type;
      }
      case 'opaque':
        return this.#error(at, `unexpected failed resolution of '${this.#shown(type)}'`);
      default:
        // Of any type then: cel-go goes on (checker/checker.go, checkSelectField).
        this.#error(at, `type '${this.#shown(type)}' does not support field selection`);
        return dynType;
    }
  }

  #call(expr: CallExpr): CelType {
    const { target } = expr;
    if (target !== undefined) {
      const namespace = qualifiedName(target);
      if (namespace !== undefined) {
        for (const candidate of this.#scope.candidates(`${namespace}.${expr.name}`)) {
          const overloads = this.#environment.functions.get(candidate);
          if (overloads !== undefined) return this.#resolve(expr, candidate, overloads, expr.args, false);
        }
      }
      const overloads = this.#environment.functions.get(expr.name);
      if (overloads === undefined) {
        this.#infer(target);
        this.#undeclared(expr.at, expr.name);
        for (const arg of expr.args) this.#infer(arg);
        return errorType;
      }
      const outer = this.#mixes;
      this.#mixes ||= expr.name === 'format';
      const result = this.#resolve(expr, expr.name, overloads, [target, ...expr.args], true);
      this.#mixes = outer;
      return result;
    }
    for (const candidate of this.#scope.candidates(expr.name)) {
      const overloads = this.#environment.functions.get(candidate);
      if (overloads !== undefined) return this.#resolve(expr, candidate, overloads, expr.args, false);
    }
    this.#undeclared(expr.at, expr.name);
    for (const arg of expr.args) this.#infer(arg);
    return errorType;
  }

  #resolve(
    expr: CallExpr,
    name: string,
    overloads: readonly Overload[],
    args: readonly Expr[],
    isMember: boolean,
  ): CelType {
    const types = args.map((arg) => this.#infer(arg));
    if (name === '_&&_' || name === '_||_') {
      let wrong: CelType | undefined;
      types.forEach((type, index) => {
        if (this.#substitution.assign(boolType, type)) return;
        const at = (args[index] as Expr).at;
        wrong = this.#error(at, `expected type 'bool' but found '${this.#shown(type)}'`);
      });
      if (wrong !== undefined) return wrong;
    }
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.isMember !== isMember || overload.params.length !== types.length) continue;
      const before = this.#substitution.snapshot();
      const renamed = new Map<string, CelType>();
      const fits = overload.params.every((param, index) =>
        this.#substitution.assign(this.#params.rename(param, renamed), types[index] as CelType),
      );
      if (!fits) {
        this.#substitution.restore(before);
        continue;
      }
      fitting.push(overload);
      const own = this.#substitution.apply(this.#params.rename(overload.result, renamed), false);
      if (result === undefined) result = own;
      else if (!sameType(result, own)) result = dynType;
    }
    if (result === undefined) {
      const shown = types.map((type) => this.#shown(type));
      const receiver = isMember ? `${shown.shift()}.` : '';
      return this.#error(
        expr.at,
        `found no matching overload for '${name}' applied to '${receiver}(${shown.join(', ')})'`,
      );
    }
    this.#calls.set(expr, { name, overloads: fitting, known: overloads, args });
    return result;
  }

  /** The one type of the elements of a literal. */
  #join(joined: CelType | undefined, type: CelType): CelType {
    if (joined === undefined) return type;
    if (!this.#substitution.assign(joined, type)) return dynType;
    return isAsGeneral(joined, type) ? joined : type;
  }

  /** The type held by an optional element of a literal. */
  #held(type: CelType, isOptional: boolean, at: number): CelType {
    if (!isOptional) return type;
    const resolved = this.#substitution.resolve(type);
    if (resolved.kind === 'optional') return resolved.params[0] ?? dynType;
    if (resolved.kind === 'dyn') return dynType;
    this.#error(at, `expected type 'optional_type(${this.#shown(type)})' but found '${this.#shown(type)}'`);
    return type;
  }

  #list(elements: readonly LiteralPart[]): CelType {
    let joined: CelType | undefined;
    for (const { value, isOptional } of elements) {
      joined = this.#join(joined, this.#held(this.#infer(value), isOptional, value.at));
    }
    this.#mustBeAlike(elements, true);
    return listOf(joined ?? this.#params.fresh());
  }

  #map(expr: MapExpr): CelType {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, isOptional } of expr.entries) {
      const keyType = this.#infer(key);
      keys = this.#join(keys, keyType);
      values = this.#join(values, this.#held(this.#infer(value), isOptional, value.at));
    }
    this.#mustBeAlike(
      expr.entries.map(({ key }) => ({ value: key, isOptional: false })),
      false,
    );
    this.#mustBeAlike(expr.entries, false);
    return mapOf(keys ?? this.#params.fresh(), values ?? this.#params.fresh());
  }

  #mustBeAlike(parts: readonly LiteralPart[], isList: boolean): void {
    if (!this.#environment.mixesLiterals && !this.#mixes) this.#alike.add(parts, isList);
  }

  #struct(expr: StructExpr): CelType {
    for (const candidate of this.#scope.candidates(expr.name)) {
      const struct = this.#environment.structOf?.(candidate);
      if (struct === undefined) continue;
      this.#structs.set(expr, struct);
      for (const { name, value, isOptional, at } of expr.fields) {
        const type = this.#held(this.#infer(value), isOptional, value.at);
        const wanted = struct.fieldType(name);
        if (wanted === undefined) this.#error(at, `undefined field '${name}'`);
        else if (!this.#substitution.assign(wanted, type)) {
          this.#error(
            at,
            `expected type of field '${name}' is '${this.#shown(wanted)}' but provided type is '${this.#shown(type)}'`,
          );
        }
      }
      return struct.type;
    }
    for (const { value } of expr.fields) this.#infer(value);
    return this.#undeclared(expr.at, expr.name);
  }

  #comprehension(expr: ComprehensionExpr): CelType {
    const range = this.#substitution.resolve(this.#infer(expr.range));
    const [key, element] = this.#rangeTypes(range, expr.range.at);
    const isMap = range.kind === 'map';
    const locals: [string, CelType][] =
      expr.second === undefined
        ? [[expr.first, isMap ? key : element]]
        : [
            [expr.first, key],
            [expr.second, element],
          ];
    return this.#scope.within(locals, () => {
      const predicate = expr.predicate === undefined ? undefined : this.#infer(expr.predicate);
      const result = expr.transform === undefined ? undefined : this.#infer(expr.transform);
      if (predicate !== undefined && !this.#substitution.assign(boolType, predicate)) {
        this.#wrongPredicate(expr, predicate, result, [key, isMap ? key : element]);
      }
      switch (expr.macro) {
        case 'all':
        case 'exists':
        case 'exists_one':
          return boolType;
        case 'filter':
          return listOf(isMap ? key : element);
        case 'map':
        case 'transformList':
          return listOf(result as CelType);
        case 'transformMap':
          return mapOf(key, result as CelType);
        case 'transformMapEntry': {
          const entry = mapOf(this.#params.fresh(), this.#params.fresh());
          if (!this.#substitution.assign(entry, result as CelType)) {
            return this.#error(expr.at, `expected type 'map' but found '${this.#shown(result as CelType)}'`);
          }
          return entry;
        }
      }
    });
  }

  /** Types of the keys or indices, and of the values. */
  #rangeTypes(range: CelType, at: number): [CelType, CelType] {
    switch (range.kind) {
      case 'list':
        return [intType, range.params[0] ?? dynType];
      case 'map':
        return [range.params[0] ?? dynType, range.params[1] ?? dynType];
      case 'param':
        this.#substitution.assign(range, dynType);
        return [dynType, dynType];
      case 'dyn':
      case 'error':
        // Of what is wrong already the variables are of any type (cel-go checker/checker.go, checkComprehension).
        return [dynType, dynType];
      default: {
        const error = this.#error(
          at,
          `expression of type '${this.#shown(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [error, error];
      }
    }
  }

  /** What cel-go makes of the macro is what its message shows: a conjunction, or a condition that steps or does not. */
  #wrongPredicate(
    { macro, predicate, at }: ComprehensionExpr,
    type: CelType,
    result: CelType | undefined,
    [key, element]: readonly [CelType, CelType],
  ): void {
    const found = this.#shown(type);
    if (macro === 'all' || macro === 'exists') {
      this.#error((predicate as Expr).at, `expected type 'bool' but found '${found}'`);
      return;
    }
    const step = this.#shown(gatheredBy(macro, key, result ?? element));
    this.#error(at, `found no matching overload for '_?_:_' applied to '(${found}, ${step}, ${step})'`);
  }

  #optionalMap(expr: OptionalMapExpr): CelType {
    const param = this.#params.fresh();
    const target = this.#infer(expr.target);
    const fits = this.#substitution.assign(optionalOf(param), target);
    if (!fits) {
      // The two calls that the macro is made of.
      for (const name of ['hasValue', 'value'])
        this.#error(
          expr.at,
          `found no matching overload for '${name}' applied to '${this.#shown(target)}.()'`,
        );
    }
    const held = fits ? param : errorType;
    const body = this.#scope.within([[expr.name, held]], () => this.#infer(expr.body));
    if (!expr.isFlat) return optionalOf(body);
    const result = optionalOf(this.#params.fresh());
    if (this.#substitution.assign(result, body)) return this.#substitution.apply(result, false);
    // The macro is a condition: what the body gives, or else none.
    const branches = `${this.#shown(body)}, optional_type(dyn)`;
    return this.#error(expr.at, `found no matching overload for '_?_:_' applied to '(bool, ${branches})'`);
  }
}

/** What a macro makes whose predicate is no test: the type of its accumulator. */
function gatheredBy(macro: ComprehensionExpr['macro'], key: CelType, result: CelType): CelType {
  switch (macro) {
    case 'exists_one':
      return intType;
    case 'transformMap':
      return mapOf(key, result);
    case 'transformMapEntry':
      return result;
    default:
      return listOf(result);
  }
}
