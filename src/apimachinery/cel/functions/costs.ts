import { sizeOf, weightOf } from '../sizes.ts';
import { CelList, CelMap, Opaque, type Value } from '../values.ts';
import { type CostModel, type EstimatedArgument, fixed, type Range } from './registry.ts';

/** Cost of looking at one character (cel-go's StringTraversalCostFactor). */
export const textFactor = 0.1;
/** Cost of one character of a regular expression, for each 10 characters of text. */
export const regexFactor = 0.25;

/**
 * What cel-go and Kubernetes take for nothing costs a step for each so many values here, or characters, since one thread serves
 * all: elements that are compared as deep as they go, texts that grow.
 */
const valuesForNothing = 16;
const charactersForNothing = 1024;
export const unreckonedValues = (count: number): number => Math.floor(count / valuesForNothing);
export const unreckonedText = (text: Value): number =>
  typeof text === 'string' ? Math.floor(text.length / charactersForNothing) : 0;

export function plus(a: Range, b: Range): Range {
  return { min: a.min + b.min, max: a.max + b.max };
}

export function scaled(range: Range, factor: number): Range {
  return { min: Math.ceil(range.min * factor), max: Math.ceil(range.max * factor) };
}

export function times(a: Range, b: Range): Range {
  return { min: product(a.min, b.min), max: product(a.max, b.max) };
}

/** 0 × ∞ is 0: nothing is done however often. */
function product(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

export function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

const sizeAt = (args: readonly EstimatedArgument[], index: number): Range => args[index]?.size ?? fixed(0);
const runSize = (args: readonly Value[], index: number): number => sizeOf(args[index] ?? null);

/** One walk over the text of an argument, as often as `passes`; `keepsSize`: the result is as long. */
export function traversal(index: number, passes = 1, keepsSize = false): CostModel {
  return {
    run: (args) => Math.ceil(runSize(args, index) * passes * textFactor),
    estimate: (args) => {
      const size = sizeAt(args, index);
      return { cost: scaled(size, passes * textFactor), size: keepsSize ? size : undefined };
    },
  };
}

/** A text at an end of a text: estimated by the one that is sought, and charged for by the whole (cel-go's startsWith, endsWith). */
export const beginning: CostModel = { run: traversal(0).run, estimate: traversal(1).estimate };

/** A regular expression (argument 1) over a text (argument 0). */
export const matching: CostModel = {
  run: (args) => Math.ceil((1 + runSize(args, 0)) * textFactor) * Math.ceil(runSize(args, 1) * regexFactor),
  estimate: (args) => {
    const text = scaled(plus(sizeAt(args, 0), fixed(1)), textFactor);
    const size = { min: 0, max: sizeAt(args, 0).max };
    return { cost: times(text, scaled(sizeAt(args, 1), regexFactor)), size };
  },
};

/**
 * A call of which cel-go does not know what it costs, and takes it for a step: that of an overload it does not name, or where types
 * leave several. A call that costs much by `model` costs more here, lest texts double for nothing.
 */
export function unreckonedCall(model: CostModel): CostModel {
  return {
    run: (args, result) => 1 + unreckonedValues(model.run(args, result)),
    estimate: () => ({ cost: fixed(1) }),
  };
}

/** A text sought in a text. */
export const searching: CostModel = {
  run: (args) => Math.ceil(runSize(args, 0) * textFactor) * Math.ceil(runSize(args, 1) * textFactor),
  estimate: (args) => ({
    cost: times(scaled(sizeAt(args, 0), textFactor), scaled(sizeAt(args, 1), textFactor)),
  }),
};

/** A value sought in a list. */
export const membership: CostModel = {
  run: (args) => {
    const [item = null, list = null] = args;
    const size = sizeOf(list);
    return size + (isComposite(item) ? unreckonedValues(size * weightOf(item)) : 0);
  },
  estimate: (args) => ({ cost: sizeAt(args, 1) }),
};

function isComposite(value: Value): boolean {
  return value instanceof CelList || value instanceof CelMap;
}

/** Two values compared: the shorter one decides. What lies deeper in lists and maps is charged for when run. */
export const comparing: CostModel = {
  run: ([a = null, b = null]) => {
    const cost = Math.ceil(Math.min(sizeOf(a), sizeOf(b)) * textFactor);
    const areComposite = isComposite(a) && isComposite(b);
    return areComposite ? cost + unreckonedValues(Math.min(weightOf(a), weightOf(b))) : cost;
  },
  estimate: (args) => {
    const max = Math.min(sizeAt(args, 0).max, sizeAt(args, 1).max);
    return { cost: scaled({ min: max > 0 ? 1 : 0, max }, textFactor) };
  },
};

/** Kinds of values that are equal or not in one step (apiserver/pkg/cel/library/cost.go, `_==_`). */
const comparedAtOnce: ReadonlySet<string> = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'kubernetes.authorization.Authorizer',
  'kubernetes.authorization.PathCheck',
  'kubernetes.authorization.GroupCheck',
  'kubernetes.authorization.ResourceCheck',
  'kubernetes.authorization.Decision',
]);
const formatSizeMax = 64;

/** `==`: as `comparing`, but for what Kubernetes reckons with by its type. */
export const equating: CostModel = {
  run: (args) => (args[0] instanceof Opaque ? 1 : comparing.run(args, null)),
  estimate: (args) => {
    const [a, b] = args;
    if (a !== undefined && a.typeName === b?.typeName) {
      if (comparedAtOnce.has(a.typeName)) return { cost: fixed(1) };
      if (a.typeName === 'kubernetes.NamedFormat')
        return { cost: scaled({ min: 1, max: formatSizeMax }, textFactor) };
      if (a.typeName === 'kubernetes.URL') return { cost: scaled({ min: 1, max: b.size.max }, textFactor) };
    }
    return comparing.estimate(args);
  },
};

/** Two texts put together. */
export const concatenating: CostModel = {
  run: (args) => Math.ceil((runSize(args, 0) + runSize(args, 1)) * textFactor),
  estimate: (args) => {
    const size = plus(sizeAt(args, 0), sizeAt(args, 1));
    return { cost: scaled(size, textFactor), size };
  },
};

/** Two lists put together: estimated as one step, as cel-go does, and charged for the copy when run. */
export const joiningLists: CostModel = {
  run: (args) => 1 + Math.floor((runSize(args, 0) + runSize(args, 1)) / 20),
  estimate: (args) => ({ cost: fixed(1), size: plus(sizeAt(args, 0), sizeAt(args, 1)) }),
};

/** Of the texts in a value and of all else that is no list or map (library/cost.go traversalCost). */
function traversalCost(value: Value): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * textFactor);
  if (value instanceof Uint8Array) return Math.floor(value.length * textFactor);
  let cost = 0;
  if (value instanceof CelList) {
    for (let i = 0; i < value.size; i++) cost += traversalCost(value.at(i));
    return cost + unreckonedValues(value.size);
  }
  if (!(value instanceof CelMap)) return 1;
  for (const key of value.keys()) cost += traversalCost(key) + traversalCost(value.get(key) as Value);
  return cost + unreckonedValues(value.size);
}

/** One look at each element of a list, with the text in it; or at a text. */
export const listTraversal: CostModel = {
  isOfFunction: true,
  run: ([list = null]) => traversalCost(list),
  estimate: ([list]) => {
    if (list === undefined) return { cost: fixed(1) };
    const { size, elementSize, elementKind } = list;
    // What may be a text is reckoned with as one.
    if (elementKind === undefined) return { cost: scaled(size, textFactor) };
    const isText = elementKind === 'string' || elementKind === 'bytes';
    return { cost: times(size, isText ? plus(fixed(1), scaled(elementSize, textFactor)) : fixed(1)) };
  },
};

export function constantCost(cost: number): CostModel {
  return { run: () => cost, estimate: () => ({ cost: fixed(cost) }) };
}
