import { typeOf } from '../type-of.ts';
import type { TypeKind } from '../types.ts';
import { CelFault, noOverload, type Value } from '../values.ts';

const numbers: readonly TypeKind[] = ['int', 'uint', 'double'];
const ordered: readonly TypeKind[] = [...numbers, 'bool', 'bytes', 'string', 'timestamp', 'duration'];

/** Which first operands an operator knows at all. */
const operandsOf: { readonly [name: string]: readonly TypeKind[] } = {
  '_+_': [...numbers, 'bytes', 'string', 'list', 'timestamp', 'duration'],
  '_-_': [...numbers, 'timestamp', 'duration'],
  '_*_': numbers,
  '_/_': numbers,
  '_%_': ['int', 'uint'],
  '-_': ['int', 'double', 'duration'],
  '_<_': ordered,
  '_<=_': ordered,
  '_>_': ordered,
  '_>=_': ordered,
};
/** They are asked themselves, and answer without a name. */
const receivers: readonly TypeKind[] = ['string', 'timestamp', 'duration'];

/** Of these nothing but the values themselves is asked (common/stdlib/standard.go, DisableTypeGuards). */
const unguarded: ReadonlySet<string> = new Set(['contains', 'startsWith', 'endsWith']);

/** Functions that have one implementation for all they take. */
const singletons: ReadonlySet<string> = new Set(['size', 'matches']);

/** Whether one implementation stands for all of a function's overloads: operators, and the ones above. */
export function hasOneBinding(name: string): boolean {
  return singletons.has(name) || Object.hasOwn(operandsOf, name) || /^(?:@in|_[!=]=_|!_)$/.test(name);
}

/** That a function takes no such arguments, as cel-go tells it (interpreter/interpretable.go, common/decls/decls.go). */
export function noOverloadOf(name: string, args: readonly Value[]): CelFault {
  const known = Object.hasOwn(operandsOf, name) ? operandsOf[name] : undefined;
  const { kind } = typeOf(args[0] as Value);
  if (known !== undefined) {
    // By its name where the first does not know it at all.
    const isKnown = known.includes(kind) || receivers.includes(kind);
    return isKnown ? noOverload : new CelFault(`no such overload: ${name}`);
  }
  if (!/^\w[\w.]*$/.test(name) || unguarded.has(name)) return noOverload;
  // A text may be matched; it is asked itself with what.
  if (name === 'matches' && kind === 'string') return noOverload;
  if (singletons.has(name)) return new CelFault(`no such overload: ${name}`);
  return new CelFault(`no such overload: ${name}(${args.map((arg) => typeOf(arg).name).join(', ')})`);
}
