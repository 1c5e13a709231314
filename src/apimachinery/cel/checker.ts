import {
  type CallExpr,
  type ComprehensionExpr,
  describeError,
  type Expr,
  type MapExpr,
  type OptionalMapExpr,
  type SelectExpr,
  type StructExpr,
} from './ast.ts';
import type { CelEnvironment, StructType } from './environment.ts';
import type { Overload } from './functions/registry.ts';
import { qualifiedName } from './parser.ts';
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  dynType,
  errorType,
  intType,
  isAsGeneral,
  listOf,
  listType,
  mapOf,
  mapType,
  nullType,
  optionalOf,
  optionalType,
  Substitution,
  sameType,
  stringType,
  timestampType,
  typeOfType,
  typeType,
  uintType,
} from './types.ts';
import { typeOf } from './values.ts';

/** An expression does not fit its environment; the message is one or more of `ERROR: <input>:1:6: …`. */
export class CelTypeError extends Error {
  override readonly name = 'CelTypeError';
}

/** It fits, and cannot be made ready to run: what stands in it cannot be converted, or is no pattern. */
export class CelProgramError extends CelTypeError {}

/** What a call does: its overloads in order, and its arguments with the receiver first. */
export interface ResolvedCall {
  readonly overloads: readonly Overload[];
  readonly args: readonly Expr[];
}

export type Reference =
  | { readonly kind: 'local' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'type'; readonly type: CelType };

/** A checked expression: every node's type, and what names and calls mean. */
export interface Checked {
  readonly expr: Expr;
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  readonly references: ReadonlyMap<Expr, Reference>;
  readonly calls: ReadonlyMap<Expr, ResolvedCall>;
  readonly structs: ReadonlyMap<Expr, StructType>;
  /** Names of the environment's variables that it reads. */
  readonly variables: ReadonlySet<string>;
  /** Parts of list and map literals that are not of the type of the first. */
  readonly unlike: readonly Finding[];
}

/** What is wrong, and where. */
export interface Finding {
  readonly at: number;
  readonly message: string;
}

interface LiteralPart {
  readonly value: Expr;
  readonly isOptional: boolean;
}

/** Errors told of one expression (cel-go common/errors.go). */
const errorsMax = 100;

const namedTypes: ReadonlyMap<string, CelType> = new Map(
  [
    boolType,
    intType,
    uintType,
    doubleType,
    stringType,
    bytesType,
    listType,
    mapType,
    nullType,
    typeType,
    timestampType,
    durationType,
    optionalType,
  ].map((type) => [type.name, type]),
);

/** Checks types (CEL specification, Type checking). Throws CelTypeError. */
export function checkCel(expr: Expr, source: string, environment: CelEnvironment): Checked {
  return new Checker(source, environment).check(expr);
}

/** Errors by where they stand, as many as are told (cel-go common/errors.go). */
export function errorTexts(source: string, errors: readonly Finding[]): string {
  const texts = errors
    .toSorted((a, b) => a.at - b.at)
    .slice(0, errorsMax)
    .map(({ at, message }) => describeError(source, at, message));
  if (errors.length > errorsMax) texts.push(`${errors.length - errorsMax} more errors were truncated`);
  return texts.join('\n');
}

class Checker {
  readonly #source: string;
  readonly #environment: CelEnvironment;
  readonly #substitution = new Substitution();
  readonly #types = new Map<Expr, CelType>();
  readonly #references = new Map<Expr, Reference>();
  readonly #calls = new Map<Expr, ResolvedCall>();
  readonly #structs = new Map<Expr, StructType>();
  readonly #used = new Set<string>();
  readonly #locals: { readonly name: string; readonly type: CelType }[] = [];
  readonly #errors: Finding[] = [];
  /** Values that stand in one list or map literal and must be of one type. */
  readonly #alike: { readonly parts: readonly LiteralPart[]; readonly isList: boolean }[] = [];
  #fresh = 0;
  /** In the arguments of `format`, which may be of different types anywhere (cel-go exempts them). */
  #mixes = false;

  constructor(source: string, environment: CelEnvironment) {
    this.#source = source;
    this.#environment = environment;
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
      references: this.#references,
      calls: this.#calls,
      structs: this.#structs,
      variables: this.#used,
      unlike: this.#unlike(types),
    };
  }

  /** In the order in which they stand in the source. */
  #throwErrors(): void {
    if (this.#errors.length > 0) throw new CelTypeError(errorTexts(this.#source, this.#errors));
  }

  /** cel-go's validator of literals (cel/validator.go), which an expression that fits otherwise meets. */
  #unlike(types: ReadonlyMap<Expr, CelType>): Finding[] {
    const found: Finding[] = [];
    for (const { parts, isList } of this.#alike) {
      let wanted: CelType | undefined;
      for (const { value, isOptional } of parts) {
        const whole = types.get(value) as CelType;
        const type = isOptional ? (whole.params[0] ?? dynType) : whole;
        wanted ??= type;
        if (sameType(wanted, type)) continue;
        found.push({
          at: value.at,
          message: `expected type '${this.#show(wanted)}' but found '${this.#show(type)}'`,
        });
        if (isList) break;
      }
    }
    return found;
  }

  #error(at: number, message: string): CelType {
    this.#errors.push({ at, message });
    return errorType;
  }

  #show(type: CelType): string {
    const shown = this.#substitution.apply(type, false);
    if (shown.kind === 'param') return 'dyn';
    if (shown.kind === 'timestamp') return 'timestamp';
    if (shown.kind === 'duration') return 'duration';
    if (shown.kind === 'null') return 'null';
    if (shown.params.length === 0) return shown.name;
    return `${shown.name}(${shown.params.map((param) => this.#show(param)).join(', ')})`;
  }

  #param(): CelType {
    return new CelType('param', `_${this.#fresh++}`);
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
        return this.#name(expr, expr.name) ?? this.#undeclared(expr.at, expr.name);
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
        return this.#within([[expr.name, value]], () => this.#infer(expr.body));
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

  /** Names as they are tried: `a.b` in container `x.y` is x.y.a.b, x.a.b, a.b; a leading dot means the last. */
  #candidates(name: string): string[] {
    if (name.startsWith('.')) return [name.slice(1)];
    const { container } = this.#environment;
    if (container === '') return [name];
    const parts = container.split('.');
    return [...parts.map((_, index) => `${parts.slice(0, parts.length - index).join('.')}.${name}`), name];
  }

  /** What a name stands for; undefined when for nothing. */
  #name(expr: Expr, name: string): CelType | undefined {
    for (let i = this.#locals.length - 1; i >= 0; i--) {
      const local = this.#locals[i] as { name: string; type: CelType };
      if (local.name !== name) continue;
      this.#references.set(expr, { kind: 'local' });
      return local.type;
    }
    for (const candidate of this.#candidates(name)) {
      const variable = this.#environment.variables.get(candidate);
      if (variable !== undefined) {
        this.#references.set(expr, { kind: 'variable', name: candidate });
        this.#used.add(candidate);
        return variable.type;
      }
      const type = namedTypes.get(candidate) ?? this.#environment.structOf?.(candidate)?.type;
      if (type !== undefined) {
        this.#references.set(expr, { kind: 'type', type });
        return typeOfType(type);
      }
    }
    return undefined;
  }

  /** `a.b.c` that is the name of one variable, unless `a` is a variable of a comprehension. */
  #qualified(expr: SelectExpr): CelType | undefined {
    const name = qualifiedName(expr);
    if (name === undefined) return undefined;
    const [root] = name.replace(/^\./, '').split('.') as [string];
    if (this.#locals.some((local) => local.name === root)) return undefined;
    return this.#name(expr, name);
  }

  #select(expr: SelectExpr): CelType {
    if (!expr.isTest && !expr.isOptional) {
      const qualified = this.#qualified(expr);
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
        return this.#error(at, `unexpected failed resolution of '${this.#show(type)}'`);
      default:
        // Of any type then: cel-go goes on (checker/checker.go, checkSelectField).
        this.#error(at, `type '${this.#show(type)}' does not support field selection`);
        return dynType;
    }
  }

  #call(expr: CallExpr): CelType {
    const { target } = expr;
    if (target !== undefined) {
      const namespace = qualifiedName(target);
      if (namespace !== undefined) {
        for (const candidate of this.#candidates(`${namespace}.${expr.name}`)) {
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
    for (const candidate of this.#candidates(expr.name)) {
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
        wrong = this.#error(at, `expected type 'bool' but found '${this.#show(type)}'`);
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
        this.#substitution.assign(this.#rename(param, renamed), types[index] as CelType),
      );
      if (!fits) {
        this.#substitution.restore(before);
        continue;
      }
      fitting.push(overload);
      const own = this.#substitution.apply(this.#rename(overload.result, renamed), false);
      if (result === undefined) result = own;
      else if (!sameType(result, own)) result = dynType;
    }
    if (result === undefined) {
      const shown = types.map((type) => this.#show(type));
      const receiver = isMember ? `${shown.shift()}.` : '';
      return this.#error(
        expr.at,
        `found no matching overload for '${name}' applied to '${receiver}(${shown.join(', ')})'`,
      );
    }
    this.#calls.set(expr, { overloads: fitting, args });
    return result;
  }

  /** Type parameters of a declaration, new for each call. */
  #rename(type: CelType, renamed: Map<string, CelType>): CelType {
    if (type.kind === 'param') {
      let fresh = renamed.get(type.name);
      if (fresh === undefined) {
        fresh = this.#param();
        renamed.set(type.name, fresh);
      }
      return fresh;
    }
    if (type.params.length === 0) return type;
    return new CelType(
      type.kind,
      type.name,
      type.params.map((param) => this.#rename(param, renamed)),
      type.decl,
    );
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
    this.#error(at, `expected type 'optional_type(${this.#show(type)})' but found '${this.#show(type)}'`);
    return type;
  }

  #list(elements: readonly LiteralPart[]): CelType {
    let joined: CelType | undefined;
    for (const { value, isOptional } of elements) {
      joined = this.#join(joined, this.#held(this.#infer(value), isOptional, value.at));
    }
    this.#mustBeAlike(elements, true);
    return listOf(joined ?? this.#param());
  }

  #map(expr: MapExpr): CelType {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, isOptional } of expr.entries) {
      const keyType = this.#infer(key);
      if (!isKeyType(this.#substitution.resolve(keyType))) {
        this.#error(key.at, `unsupported key type: ${this.#show(keyType)}`);
      }
      keys = this.#join(keys, keyType);
      values = this.#join(values, this.#held(this.#infer(value), isOptional, value.at));
    }
    this.#mustBeAlike(
      expr.entries.map(({ key }) => ({ value: key, isOptional: false })),
      false,
    );
    this.#mustBeAlike(expr.entries, false);
    return mapOf(keys ?? this.#param(), values ?? this.#param());
  }

  #mustBeAlike(parts: readonly LiteralPart[], isList: boolean): void {
    if (this.#environment.mixesLiterals || this.#mixes || parts.length < 2) return;
    this.#alike.push({ parts, isList });
  }

  #struct(expr: StructExpr): CelType {
    for (const candidate of this.#candidates(expr.name)) {
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
            `expected type of field '${name}' is '${this.#show(wanted)}' but provided type is '${this.#show(type)}'`,
          );
        }
      }
      return struct.type;
    }
    for (const { value } of expr.fields) this.#infer(value);
    return this.#undeclared(expr.at, expr.name);
  }

  #within<T>(locals: readonly (readonly [string, CelType])[], body: () => T): T {
    for (const [name, type] of locals) this.#locals.push({ name, type });
    const result = body();
    this.#locals.length -= locals.length;
    return result;
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
    return this.#within(locals, () => {
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
          const entry = mapOf(this.#param(), this.#param());
          if (!this.#substitution.assign(entry, result as CelType)) {
            return this.#error(expr.at, `expected type 'map' but found '${this.#show(result as CelType)}'`);
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
          `expression of type '${this.#show(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
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
    const found = this.#show(type);
    if (macro === 'all' || macro === 'exists') {
      this.#error((predicate as Expr).at, `expected type 'bool' but found '${found}'`);
      return;
    }
    const step = this.#show(gatheredBy(macro, key, result ?? element));
    this.#error(at, `found no matching overload for '_?_:_' applied to '(${found}, ${step}, ${step})'`);
  }

  #optionalMap(expr: OptionalMapExpr): CelType {
    const param = this.#param();
    const target = this.#infer(expr.target);
    const fits = this.#substitution.assign(optionalOf(param), target);
    if (!fits) {
      // The two calls that the macro is made of.
      for (const name of ['hasValue', 'value'])
        this.#error(
          expr.at,
          `found no matching overload for '${name}' applied to '${this.#show(target)}.()'`,
        );
    }
    const held = fits ? param : errorType;
    const body = this.#within([[expr.name, held]], () => this.#infer(expr.body));
    if (!expr.isFlat) return optionalOf(body);
    const result = optionalOf(this.#param());
    if (this.#substitution.assign(result, body)) return result;
    // The macro is a condition: what the body gives, or else none.
    const branches = `${this.#show(body)}, optional_type(dyn)`;
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

function isKeyType(type: CelType): boolean {
  switch (type.kind) {
    case 'bool':
    case 'int':
    case 'uint':
    case 'string':
    case 'dyn':
    case 'param':
    case 'error':
      return true;
    default:
      return false;
  }
}
