/**
 * What a client asked of one key and what it was told. Values are unique over all writes, so that a value says which
 * write it is of.
 */
export type RegisterCall =
  /** Makes the key where it is absent. */
  | { readonly type: 'create'; readonly value: string; readonly answer: 'done' | 'exists' | 'unknown' }
  /** Replaces `expected`; refused whenever something else, or nothing, stands there. */
  | {
      readonly type: 'swap';
      readonly expected: string;
      readonly value: string;
      readonly answer: 'done' | 'refused' | 'unknown';
    }
  | { readonly type: 'delete'; readonly answer: 'done' | 'absent' | 'unknown' }
  /** `value` undefined: absent. */
  | { readonly type: 'read'; readonly value: string | undefined };

export interface HistoryEntry {
  readonly call: RegisterCall;
  /** When it was asked, by one clock for all clients. */
  readonly startMs: number;
  /** When the answer came. What is unknown may take effect at any time after its start, or never. */
  readonly endMs: number;
}

type Value = string | undefined;

/**
 * The value after the call if it takes place at `before`; `impossible` when its answer would have been another. A call of
 * unknown outcome need not take place: where it would change nothing, it does not.
 */
function step(call: RegisterCall, before: Value): { readonly after: Value } | 'impossible' {
  switch (call.type) {
    case 'read':
      return call.value === before ? { after: before } : 'impossible';
    case 'create': {
      const possible = before === undefined;
      if (call.answer === 'exists') return possible ? 'impossible' : { after: before };
      return possible ? { after: call.value } : 'impossible';
    }
    case 'swap': {
      const possible = before === call.expected;
      if (call.answer === 'refused') return possible ? 'impossible' : { after: before };
      return possible ? { after: call.value } : 'impossible';
    }
    case 'delete': {
      const possible = before !== undefined;
      if (call.answer === 'absent') return possible ? 'impossible' : { after: before };
      return possible ? { after: undefined } : 'impossible';
    }
  }
}

function isUnknown(call: RegisterCall): boolean {
  return call.type !== 'read' && call.answer === 'unknown';
}

/** A moment of the history: a call's start, or its answer. */
interface Moment {
  readonly index: number;
  readonly isStart: boolean;
  previous: Moment | undefined;
  next: Moment | undefined;
  /** Of a start: its answer. */
  readonly answer: Moment | undefined;
}

/**
 * Whether there is an order of the calls, each between its start and its answer, in which every answer is right, the key
 * being absent at first: Wing and Gong's search with Lowe's memory of what was tried ("Testing for Linearizability",
 * 2017), as Porcupine does it. Returns undefined when there is, else the entries of the longest order found, and what
 * could not follow them.
 */
export function findViolation(
  history: readonly HistoryEntry[],
): { readonly explained: readonly HistoryEntry[]; readonly stuckAt: readonly HistoryEntry[] } | undefined {
  const head = momentsOf(history);
  const tried = new Set<string>();
  const done = new Uint8Array(Math.ceil(history.length / 8) || 1);
  const chosen: { readonly moment: Moment; readonly before: Value }[] = [];
  let longest: readonly number[] = [];
  let stuckAt: readonly number[] = [];
  let value: Value;
  let moment = head.next;
  // Calls of known outcome that are still to be placed; the others may stay out.
  let known = history.filter(({ call }) => !isUnknown(call)).length;
  while (known > 0) {
    if (moment?.isStart === true) {
      const { call } = entryAt(history, moment.index);
      const result = step(call, value);
      if (result !== 'impossible') {
        flip(done, moment.index);
        const state = `${Buffer.from(done).toString('latin1')}|${result.after ?? '-'}`;
        if (!tried.has(state)) {
          tried.add(state);
          chosen.push({ moment, before: value });
          value = result.after;
          if (!isUnknown(call)) known--;
          lift(moment);
          moment = head.next;
          continue;
        }
        flip(done, moment.index);
      }
      moment = moment.next;
      continue;
    }
    // An answer whose call was not chosen, or the end: something chosen before must have been wrong.
    if (chosen.length >= longest.length) {
      longest = chosen.map((choice) => choice.moment.index);
      stuckAt = openStarts(head);
    }
    const last = chosen.pop();
    if (last === undefined) {
      return {
        explained: longest.map((index) => entryAt(history, index)),
        stuckAt: stuckAt.map((index) => entryAt(history, index)),
      };
    }
    flip(done, last.moment.index);
    if (!isUnknown(entryAt(history, last.moment.index).call)) known++;
    value = last.before;
    put(last.moment);
    moment = last.moment.next;
  }
  return undefined;
}

function entryAt(history: readonly HistoryEntry[], index: number): HistoryEntry {
  const entry = history[index];
  if (entry === undefined) throw new RangeError(`no entry ${index}`);
  return entry;
}

/** Starts and answers in order of time, behind a head that is neither. At one time, starts come first. */
function momentsOf(history: readonly HistoryEntry[]): Moment {
  const timed: { readonly atMs: number; readonly moment: Moment }[] = [];
  for (const [index, { call, startMs, endMs }] of history.entries()) {
    const answer: Moment = { index, isStart: false, previous: undefined, next: undefined, answer: undefined };
    timed.push({
      atMs: startMs,
      moment: { index, isStart: true, previous: undefined, next: undefined, answer },
    });
    timed.push({ atMs: isUnknown(call) ? Number.POSITIVE_INFINITY : endMs, moment: answer });
  }
  timed.sort((left, right) => {
    if (left.atMs !== right.atMs) return left.atMs < right.atMs ? -1 : 1;
    return Number(right.moment.isStart) - Number(left.moment.isStart);
  });
  const head: Moment = { index: -1, isStart: false, previous: undefined, next: undefined, answer: undefined };
  let last = head;
  for (const { moment } of timed) {
    moment.previous = last;
    last.next = moment;
    last = moment;
  }
  return head;
}

function unlink(moment: Moment): void {
  if (moment.previous !== undefined) moment.previous.next = moment.next;
  if (moment.next !== undefined) moment.next.previous = moment.previous;
}

function relink(moment: Moment): void {
  if (moment.next !== undefined) moment.next.previous = moment;
  if (moment.previous !== undefined) moment.previous.next = moment;
}

/** Takes a call out; `put` in the opposite order puts it back. */
function lift(start: Moment): void {
  unlink(start);
  if (start.answer !== undefined) unlink(start.answer);
}

function put(start: Moment): void {
  if (start.answer !== undefined) relink(start.answer);
  relink(start);
}

function openStarts(head: Moment): number[] {
  const open: number[] = [];
  for (let moment = head.next; moment?.isStart === true; moment = moment.next) open.push(moment.index);
  return open;
}

function flip(bits: Uint8Array, index: number): void {
  bits[index >> 3] = (bits[index >> 3] ?? 0) ^ (1 << (index & 7));
}
