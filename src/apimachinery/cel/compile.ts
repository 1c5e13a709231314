import type {
  BindExpr,
  CallExpr,
  ComprehensionExpr,
  Expr,
  ListExpr,
  MapExpr,
  OptionalMapExpr,
  SelectExpr,
  StructExpr,
} from './ast.ts';
import {
  type Attribute,
  branchOf,
  fieldOf,
  itemOf,
  optionalFieldOf,
  presenceOf,
  selectField,
} from './attributes.ts';
import { anyCall, callCode, run } from './calls.ts';
import type { Checked, ResolvedCall } from './checked.ts';
import { comprehensionCode, Loop } from './comprehension.ts';
import type { StructType } from './environment.ts';
import { type Code, Frame } from './frame.ts';
import { contains } from './functions/operators.ts';
import { matches } from './functions/standard.ts';
import { JsonMap } from './json-values.ts';
import { listCode, mapCode, structCode } from './literal-code.ts';
import { alternative, logical } from './logic-code.ts';
import { CelProgramError } from './type-errors.ts';
import { ArrayList, CelFault, CelList, noOverload, Optional, Uint, type Value } from './values.ts';

/** Functions that are called when the expression is compiled where their argument stands in it (cel-go interpreter/decorators.go). */
const conversions: ReadonlySet<string> = new Set(
  'bool bytes double duration dyn int string timestamp type uint'.split(' '),
);
const patternFunctions: ReadonlySet<string> = new Set(['matches', 'find', 'findAll']);

interface CompileOptions {
  /** The slot of a variable; those from `localsFrom` on are the code's own. */
  readonly slotOf: (name: string) => number;
  readonly localsFrom: number;
  /** Whether what can be told to fail whenever it runs is refused, as Kubernetes does. */
  readonly refuses: boolean;
}

interface Local {
  readonly name: string;
  readonly slot: number;
  /** Of what is evaluated when it is first asked for. */
  readonly lazily?: Code;
}

/** Code for a checked expression. Throws CelProgramError when it `refuses`. */
export function compileChecked(checked: Checked, { slotOf, localsFrom, refuses }: CompileOptions): Code {
  return new Compiler(checked, slotOf, localsFrom, refuses).compile(checked.expr);
}

class Compiler {
  readonly #checked: Checked;
  readonly #slotOf: (name: string) => number;
  readonly #locals: Local[] = [];
  /** What code gives that depends on nothing. */
  readonly #constants = new Map<Code, Value>();
  readonly #attributes = new Map<Code, Attribute>();
  readonly #refuses: boolean;
  #nextSlot: number;
  /** After the last slot that anything has. */
  #slotsEnd: number;

  constructor(checked: Checked, slotOf: (name: string) => number, localsFrom: number, refuses: boolean) {
    this.#checked = checked;
    this.#refuses = refuses;
    this.#slotOf = slotOf;
    this.#nextSlot = localsFrom;
    this.#slotsEnd = localsFrom;
  }

  compile(expr: Expr): Code {
    switch (expr.kind) {
      case 'literal': {
        return this.#constant(expr.value);
      }
      case 'ident':
        return this.#reference(expr, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr, this.#checked.structs.get(expr) as StructType);
      case 'comprehension':
        return this.#comprehension(expr);
      case 'bind':
        return this.#bind(expr);
      case 'optMap':
        return this.#optionalMap(expr);
    }
  }

  #constant(value: Value): Code {
    const code = () => value;
    this.#constants.set(code, value);
    return code;
  }

  #areConstant(codes: readonly Code[]): boolean {
    return codes.every((code) => this.#constants.has(code));
  }

  /** Code for an attribute. */
  #attribute(attribute: Attribute, evaluate?: Code): Code {
    const { resolve, evaluationCost } = attribute;
    const code =
      evaluate ??
      ((frame: Frame) => {
        const value = resolve(frame);
        frame.spend(evaluationCost);
        return value;
      });
    this.#attributes.set(code, attribute);
    return code;
  }

  /** What else gives a value is looked into as an attribute of its own. */
  #attributeOf(code: Code): Attribute {
    return this.#attributes.get(code) ?? { resolve: code, evaluationCost: 1 };
  }

  #reference(expr: Expr, name: string): Code {
    const reference = this.#checked.references.get(expr);
    if (reference?.kind === 'type') return this.#constant(reference.type);
    if (reference?.kind === 'variable') return this.#slot(this.#slotOf(reference.name));
    const { slot, lazily } = this.#locals.findLast((local) => local.name === name) as Local;
    if (lazily === undefined) return this.#slot(slot);
    const resolve = (frame: Frame): Value => {
      const held = frame.slots[slot];
      if (held !== undefined) return held;
      const value = lazily(frame);
      frame.slots[slot] = value;
      return value;
    };
    return this.#attribute({ resolve, evaluationCost: 1 });
  }

  #slot(slot: number): Code {
    const resolve = (frame: Frame): Value => frame.slots[slot] as Value;
    // In one call: there is hardly an expression without.
    return this.#attribute({ resolve, evaluationCost: 1 }, (frame) => {
      frame.spend(1);
      return frame.slots[slot] as Value;
    });
  }

  #reserveSlot(): number {
    const slot = this.#nextSlot++;
    this.#slotsEnd = Math.max(this.#slotsEnd, this.#nextSlot);
    return slot;
  }

  #local<T>(names: readonly string[], body: (slots: readonly number[]) => T): T {
    const slots = names.map((name) => {
      const slot = this.#reserveSlot();
      this.#locals.push({ name, slot });
      return slot;
    });
    const result = body(slots);
    this.#locals.length -= names.length;
    this.#nextSlot -= names.length;
    return result;
  }

  /**
   * Code of a body in which a name stands for a value that is evaluated when it is first asked for, and not at all when it is not
   * (`ResolveName` of the folder in cel-go interpreter/interpretable.go).
   */
  #lazily(name: string, value: () => Code, body: () => Code): Code {
    const slot = this.#reserveSlot();
    const lazily = value();
    // It runs within the body, which is not to have the same slots.
    const bodyFrom = this.#slotsEnd;
    this.#nextSlot = bodyFrom;
    this.#locals.push({ name, slot, lazily });
    const code = body();
    this.#locals.length -= 1;
    this.#nextSlot = slot;
    return (frame) => {
      frame.slots[slot] = undefined;
      return code(frame);
    };
  }

  #select(expr: SelectExpr): Code {
    if (this.#checked.references.has(expr)) return this.#reference(expr, '');
    const operand = this.#attributeOf(this.compile(expr.operand));
    const { field } = expr;
    const declared = this.#checked.types.get(expr.operand)?.decl;
    const known = declared?.fields?.get(field);
    const read = (value: Value): Value | undefined => {
      if (known !== undefined && value instanceof JsonMap && value.decl === declared)
        return value.field(known);
      return selectField(value, field);
    };
    if (expr.isTest) return this.#attribute(presenceOf(operand, read));
    return this.#attribute(expr.isOptional ? optionalFieldOf(operand, read) : fieldOf(operand, read, field));
  }

  #index(container: Code, key: Code, isOptional: boolean): Code {
    const keyOf = this.#attributes.get(key)?.resolve ?? key;
    return this.#attribute(itemOf(this.#attributeOf(container), keyOf, isOptional));
  }

  #conditional(condition: Code, whenTrue: Code, whenFalse: Code): Code {
    const then = this.#attributes.get(whenTrue)?.resolve ?? whenTrue;
    const otherwise = this.#attributes.get(whenFalse)?.resolve ?? whenFalse;
    const branch = branchOf(condition, then, otherwise);
    return this.#attribute(branch, branch.resolve);
  }

  #call(expr: CallExpr): Code {
    const call = this.#checked.calls.get(expr) as ResolvedCall;
    const codes = call.args.map((arg) => this.compile(arg));
    const [first, second, third] = codes as [Code, Code, Code];
    switch (expr.name) {
      case '_&&_':
        return logical(first, second, false);
      case '_||_':
        return logical(first, second, true);
      case '_?_:_':
        return this.#conditional(first, second, third);
      case '_[_]':
        return this.#index(first, second, false);
      case '_[?_]':
        return this.#index(first, second, true);
      case 'or':
      case 'orValue':
        if (expr.target !== undefined && expr.args.length === 1)
          return alternative(first, second, expr.name === 'or');
        break;
    }
    return this.#folded(expr, call, codes) ?? callCode(codes, call.name, call);
  }

  /** What is known of a call before anything runs; undefined for a call like any other. */
  #folded(expr: CallExpr, call: ResolvedCall, codes: readonly Code[]): Code | undefined {
    const [first, second] = codes as [Code, Code];
    const isConversion = codes.length === 1 && expr.target === undefined && conversions.has(expr.name);
    if (isConversion && this.#constants.has(first)) {
      const value = run(nowhere, expr.name, call, [this.#constants.get(first) as Value]);
      if (!(value instanceof CelFault)) return this.#constant(value);
      if (this.#refuses) throw new CelProgramError(value.message);
    }
    const other = second === undefined ? undefined : this.#constants.get(second);
    if (patternFunctions.has(expr.name) && typeof other === 'string') {
      const found = matches('', other);
      if (this.#refuses && found instanceof CelFault) throw new CelProgramError(found.message);
      // Such a call takes its arguments one after the other, and names no function (interpreter/optimizations.go
      // MatchesRegexOptimization).
      return anyCall(codes, expr.name, call, () => noOverload);
    }
    if (expr.name !== '@in' || !(other instanceof CelList)) return undefined;
    if (other.size === 0) return this.#constant(false);
    if (!other.toArray().every(isHashable)) return undefined;
    // A look-up in a set takes no step.
    return (frame) => {
      const item = first(frame);
      return item instanceof CelFault ? item : contains(other, item);
    };
  }

  #list(expr: ListExpr): Code {
    const elements = expr.elements.map(({ value, isOptional }) => ({
      code: this.compile(value),
      isOptional,
    }));
    const codes = elements.map(({ code }) => code);
    if (this.#areConstant(codes) && !elements.some(({ isOptional }) => isOptional))
      return this.#constant(new ArrayList(codes.map((code) => code(nowhere))));
    return listCode(elements);
  }

  #map(expr: MapExpr): Code {
    const entries = expr.entries.map(({ key, value, isOptional }) => ({
      key: this.compile(key),
      value: this.compile(value),
      isOptional,
    }));
    const make = mapCode(entries);
    const isConstant =
      this.#areConstant(entries.flatMap(({ key, value }) => [key, value])) &&
      !entries.some(({ isOptional }) => isOptional);
    return isConstant ? this.#constant(make(nowhere)) : make;
  }

  #struct(expr: StructExpr, struct: StructType): Code {
    const fields = expr.fields.map(({ name, value, isOptional }) => ({
      name,
      code: this.compile(value),
      isOptional,
    }));
    return structCode(fields, struct);
  }

  #bind(expr: BindExpr): Code {
    return this.#lazily(
      expr.name,
      () => this.compile(expr.value),
      () => this.compile(expr.body),
    );
  }

  /** `target.hasValue() ? optional.of(cel.bind(name, target.value(), body)) : optional.none()`, each call a step. */
  #optionalMap(expr: OptionalMapExpr): Code {
    let target: Code = noCode;
    const value = (frame: Frame): Value => {
      const held = target(frame);
      frame.spend(1);
      return held instanceof Optional ? (held.value ?? null) : (held as CelFault);
    };
    const body = this.#lazily(
      expr.name,
      () => {
        target = this.compile(expr.target);
        return value;
      },
      () => this.compile(expr.body),
    );
    const resolve = (frame: Frame): Value => {
      const held = target(frame);
      frame.spend(1);
      if (held instanceof CelFault) return held;
      if (!(held instanceof Optional)) return noOverload;
      if (held.value === undefined) {
        frame.spend(1);
        return held;
      }
      const result = body(frame);
      if (expr.isFlat) return result instanceof CelFault || result instanceof Optional ? result : noOverload;
      frame.spend(1);
      return result instanceof CelFault ? result : new Optional(result);
    };
    return this.#attribute({ resolve, evaluationCost: 0 }, resolve);
  }

  #comprehension(expr: ComprehensionExpr): Code {
    const range = this.compile(expr.range);
    const names = expr.second === undefined ? [expr.first] : [expr.first, expr.second];
    return this.#local(names, ([first, second]) => {
      const predicate = expr.predicate === undefined ? undefined : this.compile(expr.predicate);
      const transform = expr.transform === undefined ? undefined : this.compile(expr.transform);
      return comprehensionCode({
        macro: expr.macro,
        loop: new Loop(range, first as number, second),
        predicate,
        transform,
        isConstant: transform !== undefined && this.#constants.has(transform),
      });
    });
  }
}

const noCode: Code = () => noOverload;

/** What cel-go puts into a set: scalars but bytes. */
function isHashable(value: Value): boolean {
  return (
    value === null ||
    ['boolean', 'bigint', 'number', 'string'].includes(typeof value) ||
    value instanceof Uint
  );
}

const nowhere = new Frame([], Number.POSITIVE_INFINITY);
