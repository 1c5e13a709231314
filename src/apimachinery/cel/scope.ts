import type { Expr, SelectExpr } from './ast.ts';
import type { Reference } from './checked.ts';
import type { CelEnvironment } from './environment.ts';
import { qualifiedName } from './parser.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeOfType,
  typeType,
  uintType,
} from './types.ts';

interface Local {
  readonly name: string;
  readonly type: CelType;
}

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

/** What names stand for where they are: the variables of the macros around them, then what the environment has. */
export class Scope {
  readonly references = new Map<Expr, Reference>();
  /** Names of the environment's variables that were met. */
  readonly used = new Set<string>();
  readonly #environment: CelEnvironment;
  readonly #locals: Local[] = [];

  constructor(environment: CelEnvironment) {
    this.#environment = environment;
  }

  /** Names as they are tried: `a.b` in container `x.y` is x.y.a.b, x.a.b, a.b; a leading dot means the last. */
  candidates(name: string): string[] {
    if (name.startsWith('.')) return [name.slice(1)];
    const { container } = this.#environment;
    if (container === '') return [name];
    const parts = container.split('.');
    return [...parts.map((_, index) => `${parts.slice(0, parts.length - index).join('.')}.${name}`), name];
  }

  /** What a name stands for; undefined when for nothing. */
  typeOf(expr: Expr, name: string): CelType | undefined {
    for (let i = this.#locals.length - 1; i >= 0; i--) {
      const local = this.#locals[i] as Local;
      if (local.name !== name) continue;
      this.references.set(expr, { kind: 'local' });
      return local.type;
    }
    for (const candidate of this.candidates(name)) {
      const variable = this.#environment.variables.get(candidate);
      if (variable !== undefined) {
        this.references.set(expr, { kind: 'variable', name: candidate });
        this.used.add(candidate);
        return variable.type;
      }
      const type = namedTypes.get(candidate) ?? this.#environment.structOf?.(candidate)?.type;
      if (type !== undefined) {
        this.references.set(expr, { kind: 'type', type });
        return typeOfType(type);
      }
    }
    return undefined;
  }

  /** `a.b.c` that is the name of one variable, unless `a` is a variable of a comprehension. */
  qualified(expr: SelectExpr): CelType | undefined {
    const name = qualifiedName(expr);
    if (name === undefined) return undefined;
    const [root] = name.replace(/^\./, '').split('.') as [string];
    if (this.#locals.some((local) => local.name === root)) return undefined;
    return this.typeOf(expr, name);
  }

  /** What `body` gives, in which these are names too. */
  within<T>(locals: readonly (readonly [string, CelType])[], body: () => T): T {
    for (const [name, type] of locals) this.#locals.push({ name, type });
    const result = body();
    this.#locals.length -= locals.length;
    return result;
  }
}
