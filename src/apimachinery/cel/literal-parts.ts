import type { Expr } from './ast.ts';
import { shownType } from './shown-type.ts';
import { type Substitution, sameType } from './substitution.ts';
import type { Finding } from './type-errors.ts';
import { type CelType, dynType } from './types.ts';

/** An element, a key or a value of a list or map literal. */
export interface LiteralPart {
  readonly value: Expr;
  readonly isOptional: boolean;
}

/** Values that stand in one list or map literal and must be of one type: cel-go's validator of literals (cel/validator.go). */
export class AlikeParts {
  readonly #literals: { readonly parts: readonly LiteralPart[]; readonly isList: boolean }[] = [];

  add(parts: readonly LiteralPart[], isList: boolean): void {
    if (parts.length > 1) this.#literals.push({ parts, isList });
  }

  /** Those that are of another type than the first. An expression that fits otherwise meets this. */
  unlike(types: ReadonlyMap<Expr, CelType>, substitution: Substitution): Finding[] {
    const found: Finding[] = [];
    for (const { parts, isList } of this.#literals) {
      let wanted: CelType | undefined;
      for (const { value, isOptional } of parts) {
        const whole = types.get(value) as CelType;
        const type = isOptional ? (whole.params[0] ?? dynType) : whole;
        wanted ??= type;
        if (sameType(wanted, type)) continue;
        const shown = [wanted, type].map((one) => shownType(one, substitution));
        found.push({ at: value.at, message: `expected type '${shown[0]}' but found '${shown[1]}'` });
        if (isList) break;
      }
    }
    return found;
  }
}
