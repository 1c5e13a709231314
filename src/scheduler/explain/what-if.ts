import type { Cell, Taint } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';

/** A change of one cell that did not happen. */
export interface CellAssumption {
  readonly cell: string;
  /** As it was asked for. */
  readonly text: string;
  readonly apply: (cell: Cell) => Cell | undefined;
}

/** What is asked is where things end up: when every tolerated time has run out. */
const longAgo = '1970-01-01T00:00:00Z';

const states: { readonly [state: string]: ((cell: Cell) => Cell | undefined) | undefined } = {
  /** It fails, and failover takes what it has. */
  down: (cell) =>
    withTaints({ ...cell, status: withReady(cell, 'False') }, [
      { key: 'what-if/down', effect: 'NoExecute', timeAdded: longAgo },
    ]),
  up: (cell) => {
    const { suspend: _suspend, taints = [], ...spec } = cell.spec ?? {};
    const kept = taints.filter(({ effect }) => effect === 'PreferNoSchedule');
    return { ...cell, spec: { ...spec, taints: kept }, status: withReady(cell, 'True') };
  },
  cordoned: (cell) => withTaints(cell, [{ key: cellTaints.cordon, effect: 'NoSchedule' }]),
  drained: (cell) => withTaints(cell, [{ key: cellTaints.drain, effect: 'NoExecute', timeAdded: longAgo }]),
  gone: () => undefined,
};

const fields = ['region', 'provider', 'pop', 'dataCenter'] as const;

/**
 * Reads `cell/<name>=down` (or `up`, `cordoned`, `drained`, `gone`), `cell/<name>.labels.<key>=<value>` (empty: without the
 * label), `cell/<name>.region=<value>` (or `provider`, `pop`, `dataCenter`). Throws RangeError with what is wrong.
 */
export function parseAssumption(text: string): CellAssumption {
  const equals = text.indexOf('=');
  const [target, value] = [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 0 || !target.startsWith('cell/'))
    throw new RangeError(`${text}: it must be cell/<name>=<state> or cell/<name>.<field>=<value>`);
  const dot = target.indexOf('.');
  const cell = target.slice('cell/'.length, dot < 0 ? undefined : dot);
  if (dot < 0) {
    const apply = Object.hasOwn(states, value) ? states[value] : undefined;
    if (apply === undefined)
      throw new RangeError(`${text}: ${value} is none of ${Object.keys(states).join(', ')}`);
    return { cell, text, apply };
  }
  const field = target.slice(dot + 1);
  if (field.startsWith('labels.')) {
    const key = field.slice('labels.'.length);
    return { cell, text, apply: (one) => withLabel(one, key, value) };
  }
  const known = fields.find((name) => name === field);
  if (known === undefined)
    throw new RangeError(`${text}: only labels.<key>, ${fields.join(', ')} can be changed`);
  return { cell, text, apply: (one) => ({ ...one, spec: { ...one.spec, [known]: value } }) };
}

/** The cells as they would be. Throws RangeError for a cell that there is not. */
export function assuming(cells: readonly Cell[], assumptions: readonly CellAssumption[]): Cell[] {
  let changed = [...cells];
  for (const { cell, text, apply } of assumptions) {
    if (!changed.some(({ metadata }) => metadata.name === cell))
      throw new RangeError(`${text}: there is no such cell`);
    changed = changed.flatMap((one) => (one.metadata.name === cell ? (apply(one) ?? []) : one));
  }
  return changed;
}

function withTaints(cell: Cell, taints: readonly Taint[]): Cell {
  return { ...cell, spec: { ...cell.spec, taints: [...(cell.spec?.taints ?? []), ...taints] } };
}

function withReady({ status }: Cell, ready: 'True' | 'False'): NonNullable<Cell['status']> {
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'Ready');
  return { ...status, conditions: [...others, { type: 'Ready', status: ready }] };
}

function withLabel(cell: Cell, key: string, value: string): Cell {
  const labels = { ...cell.metadata.labels };
  if (value === '') delete labels[key];
  else labels[key] = value;
  return { ...cell, metadata: { ...cell.metadata, labels } };
}
