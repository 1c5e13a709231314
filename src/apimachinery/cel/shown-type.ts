import type { Substitution } from './substitution.ts';
import type { CelType } from './types.ts';

/** A type as messages name it. */
export function shownType(type: CelType, substitution: Substitution): string {
  const shown = substitution.apply(type, false);
  if (shown.kind === 'param') return 'dyn';
  if (shown.kind === 'timestamp') return 'timestamp';
  if (shown.kind === 'duration') return 'duration';
  if (shown.kind === 'null') return 'null';
  if (shown.params.length === 0) return shown.name;
  return `${shown.name}(${shown.params.map((param) => shownType(param, substitution)).join(', ')})`;
}
