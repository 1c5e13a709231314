import { LRUCache } from 'lru-cache';
import { cellVariable, compileCellSelector, type SelectableCell } from '#api/policy/cell-selector.ts';
import { CelCostError } from '#apimachinery/cel/frame.ts';
import { valueOfJson } from '#apimachinery/cel/json-values.ts';
import type { CelProgram } from '#apimachinery/cel/program.ts';
import type { Value } from '#apimachinery/cel/values.ts';
import type { CellInfo } from './cell.ts';

/** Steps that one expression may take for one cell: a thousand cells are selected from in milliseconds. */
const costMax = 1_000;
const programsMax = 1_000;

interface Expression {
  /** Null: it is malformed. */
  readonly program: CelProgram | null;
  /** A cell that does not change keeps its identity over snapshots, and so its answer. */
  readonly answers: WeakMap<CellInfo, boolean>;
}

/** By source. */
const expressions = new LRUCache<string, Expression>({ max: programsMax });
const values = new WeakMap<CellInfo, Value>();

/**
 * Whether the expression holds of a cell. One that fails (a label that is not there) or takes more than `costMax` steps
 * does not hold; a malformed one holds of no cell (validation refuses it before).
 */
export function cellExpression(source: string): (cell: CellInfo) => boolean {
  const { program, answers } = expressionOf(source);
  if (program === null) return () => false;
  return (cell) => {
    let holds = answers.get(cell);
    if (holds === undefined) {
      holds = evaluate(program, cell);
      answers.set(cell, holds);
    }
    return holds;
  };
}

function evaluate(program: CelProgram, cell: CellInfo): boolean {
  try {
    return program.run(() => valueOfCell(cell), costMax).value === true;
  } catch (error) {
    if (error instanceof CelCostError) return false;
    throw error;
  }
}

function expressionOf(source: string): Expression {
  let expression = expressions.get(source);
  if (expression === undefined) {
    expression = { program: compiled(source), answers: new WeakMap() };
    expressions.set(source, expression);
  }
  return expression;
}

function compiled(source: string): CelProgram | null {
  try {
    return compileCellSelector(source);
  } catch {
    return null;
  }
}

function valueOfCell(cell: CellInfo): Value {
  let value = values.get(cell);
  if (value === undefined) {
    const { name, labels, provider, region, zones, pop, dataCenter, served, timeZone, location } = cell;
    const selectable: SelectableCell = {
      name,
      labels: { ...labels },
      provider,
      region,
      zones: [...zones],
      pop,
      dataCenter,
      apis: [...(served ?? [])],
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(location === undefined ? {} : { location }),
    };
    value = valueOfJson(selectable, cellVariable.decl);
    values.set(cell, value);
  }
  return value;
}
