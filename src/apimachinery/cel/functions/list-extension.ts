import { equalValues } from '../equality.ts';
import { sizeOf } from '../sizes.ts';
import { typeOf } from '../type-of.ts';
import { ArrayList, CelFault, CelList, type Value } from '../values.ts';
import { plus, scaled, textFactor, times } from './costs.ts';
import { compareValues, unordered } from './operators.ts';
import { type CostModel, type EstimatedArgument, type FunctionTable, fixed, type Range } from './registry.ts';

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];

/** Of a list that a function makes, whatever is asked for: what one call may cost at most would not pay for more. */
const rangeItemsMax = 1_000_000;

/** What cel-go takes for making a list, beside its elements. */
const listCreationCost = 10;

const overhead = 1 + listCreationCost;

/** A list is made in `work` steps; what comes of it is as long, which is cel-go's estimate. */
function making(
  run: (args: readonly Value[], result: Value) => number,
  work: (args: readonly EstimatedArgument[]) => Range,
  factor: (args: readonly EstimatedArgument[]) => number = () => 1,
): CostModel {
  return {
    run: (args, result) => overhead + Math.floor(run(args, result)),
    estimate: (args) => {
      const size = work(args);
      return { cost: plus(fixed(overhead), scaled(size, factor(args))), size };
    },
  };
}

const nothingKnown: Range = { min: 0, max: Number.POSITIVE_INFINITY };
const sizeAt = (args: readonly EstimatedArgument[], at: number): Range => args[at]?.size ?? nothingKnown;
const squared = (size: Range): Range => times(size, size);
const numberOr = (given: bigint | undefined, otherwise: number): number =>
  given === undefined ? otherwise : Math.max(0, Number(given));

const bySize = making(
  ([list]) => sizeOf(list ?? null),
  (args) => sizeAt(args, 0),
);
const byResult = (work: (args: readonly EstimatedArgument[]) => Range) =>
  making((_, result) => sizeOf(result), work);

const slicing = byResult(([list, start, end]) => {
  const length = numberOr(end?.integer, list?.size.max ?? Infinity) - numberOr(start?.integer, 0);
  // As cel-go has it, whose unsigned difference then wraps around.
  return fixed(length < 0 ? Infinity : length);
});
const ranging = byResult(([count]) => fixed(numberOr(count?.integer, Infinity)));

const flattening: CostModel = making(
  ([list, depth]) => sizeOf(list ?? null) * (typeof depth === 'bigint' ? Number(depth) : 1),
  (args) => sizeAt(args, 0),
  ([, depth]) => (depth === undefined ? 1 : numberOr(depth.integer, Infinity)),
);

const isText = (value: Value | undefined): boolean =>
  typeof value === 'string' || value instanceof Uint8Array;

/** Every element compared with every other, those of argument `at`; `isOfText` as the overload is for texts. */
const comparingAll = (at: number, isOfText: boolean): CostModel =>
  making(
    (args) => {
      const list = args[at];
      const ofText = list instanceof CelList && list.size > 0 && isText(list.at(0));
      return sizeOf(list ?? null) ** 2 * (ofText ? 2 + textFactor : 2);
    },
    (args) => squared(sizeAt(args, at)),
    () => (isOfText ? 2 + textFactor : 2),
  );

function sliceOf(list: CelList, start: bigint, end: bigint): Value {
  const call = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) return new CelFault(`${call}, negative indexes not supported`);
  if (start > end) {
    return new CelFault(`${call}, start index must be less than or equal to end index`);
  }
  if (end > BigInt(list.size)) return new CelFault(`${call}, list is length ${list.size}`);
  return new ArrayList(list.toArray().slice(Number(start), Number(end)));
}

function flattened(list: CelList, depth: bigint): Value[] {
  return list
    .toArray()
    .flatMap((item) => (item instanceof CelList && depth > 0n ? flattened(item, depth - 1n) : [item]));
}

function distinct(list: CelList): Value {
  const kept: Value[] = [];
  for (const item of list.toArray()) if (!kept.some((one) => equalValues(one, item))) kept.push(item);
  return new ArrayList(kept);
}

/** The list in the order of `keys`, one for each element; equal ones keep theirs. */
function sortedBy(list: CelList, keys: CelList): Value {
  const order = keys.toArray().map((key, index) => ({ key, index }));
  const [first] = order;
  if (first === undefined) return list;
  if (unordered(first.key) !== undefined) return new CelFault('list elements must be comparable');
  const { name } = typeOf(first.key);
  if (order.some(({ key }) => typeOf(key).name !== name))
    return new CelFault('list elements must have the same type');
  order.sort((a, b) => compareValues(a.key, b.key) ?? 0);
  return new ArrayList(order.map(({ index }) => list.at(index)));
}

function range(count: bigint): Value {
  if (count > BigInt(rangeItemsMax)) return new CelFault(`lists.range: more than ${rangeItemsMax} elements`);
  return new ArrayList(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

/**
 * cel-go's list extension, version 3, which Kubernetes has from 1.34 on (apiserver/pkg/cel/environment/base.go). `sortBy`
 * is a macro, which leads to `@sortByAssociatedKeys`.
 */
export function addListExtension(table: FunctionTable): void {
  const list = (value: Value | undefined): CelList => value as CelList;
  table
    .add(
      ['list(A)->slice(int, int) list(A)'],
      ([items, start, end]) => sliceOf(list(items), start as bigint, end as bigint),
      slicing,
    )
    .add(
      ['list(list(A))->flatten() list(A)'],
      ([items]) => new ArrayList(flattened(list(items), 1n)),
      flattening,
    )
    .add(
      ['list(dyn)->flatten(int) list(dyn)'],
      ([items, depth]) =>
        (depth as bigint) < 0n
          ? new CelFault('level must be non-negative')
          : new ArrayList(flattened(list(items), depth as bigint)),
      flattening,
    )
    .add(['lists.range(int) list(int)'], ([count]) => range(count as bigint), ranging)
    .add(
      ['list(A)->reverse() list(A)'],
      ([items]) => new ArrayList(list(items).toArray().toReversed()),
      bySize,
    )
    .add(['list(A)->distinct() list(A)'], ([items]) => distinct(list(items)), comparingAll(0, false));
  for (const type of comparable) {
    const isOfText = type === 'string' || type === 'bytes';
    table
      .add(
        [`list(${type})->sort() list(${type})`],
        ([items]) => sortedBy(list(items), list(items)),
        comparingAll(0, isOfText),
      )
      .add(
        [`list(A)->@sortByAssociatedKeys(list(${type})) list(A)`],
        ([items, keys]) => sortedBy(list(items), list(keys)),
        comparingAll(1, isOfText),
      );
  }
}
