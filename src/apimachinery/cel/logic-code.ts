import type { Code } from './frame.ts';
import { CelFault, noOverload, Optional } from './values.ts';

/** `&&` (decided by false) and `||` (decided by true): either side may decide, whatever the other one says. */
export function logical(left: Code, right: Code, decisive: boolean): Code {
  return (frame) => {
    const a = left(frame);
    if (a === decisive) return decisive;
    const b = right(frame);
    if (b === decisive) return decisive;
    if (a === !decisive && b === !decisive) return b;
    if (a instanceof CelFault) return a;
    return b instanceof CelFault ? b : noOverload;
  };
}

/** `or` and `orValue`: the other side only where the first holds nothing; what is no optional is itself. They are no steps (cel-go cel/library.go). */
export function alternative(target: Code, other: Code, keepsOptional: boolean): Code {
  return (frame) => {
    const value = target(frame);
    if (!(value instanceof Optional)) return value;
    if (value.value === undefined) return other(frame);
    return keepsOptional ? value : value.value;
  };
}
