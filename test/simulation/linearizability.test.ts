import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findViolation, type HistoryEntry, type RegisterCall } from './linearizability.ts';

function at(startMs: number, endMs: number, call: RegisterCall): HistoryEntry {
  return { call, startMs, endMs };
}

const create = (value: string, answer: 'done' | 'exists' | 'unknown' = 'done'): RegisterCall => ({
  type: 'create',
  value,
  answer,
});
const swap = (
  expected: string,
  value: string,
  answer: 'done' | 'refused' | 'unknown' = 'done',
): RegisterCall => ({ type: 'swap', expected, value, answer });
const remove = (answer: 'done' | 'absent' | 'unknown' = 'done'): RegisterCall => ({ type: 'delete', answer });
const read = (value?: string): RegisterCall => ({ type: 'read', value });

describe('linearizability of one register', () => {
  const possible: { readonly [what: string]: readonly HistoryEntry[] } = {
    nothing: [],
    'one after the other': [
      at(0, 1, read()),
      at(2, 3, create('a')),
      at(4, 5, read('a')),
      at(6, 7, swap('a', 'b')),
      at(8, 9, remove()),
      at(10, 11, read()),
    ],
    'a read beside a write sees either': [
      at(0, 1, create('a')),
      at(2, 9, swap('a', 'b')),
      at(3, 4, read('a')),
      at(5, 6, read('b')),
    ],
    'of two swaps one wins': [
      at(0, 1, create('a')),
      at(2, 5, swap('a', 'b')),
      at(2, 5, swap('a', 'c', 'refused')),
    ],
    'an unknown write shows late': [
      at(0, 1, create('a')),
      at(2, 3, swap('a', 'b', 'unknown')),
      at(4, 5, read('a')),
      at(6, 7, read('b')),
    ],
    'an unknown write never happened': [
      at(0, 1, create('a', 'unknown')),
      at(2, 3, read()),
      at(4, 5, create('b')),
      at(6, 7, read('b')),
    ],
  };
  for (const [what, history] of Object.entries(possible)) {
    test(`allows: ${what}`, () => assert.equal(findViolation(history), undefined));
  }

  const impossible: { readonly [what: string]: readonly HistoryEntry[] } = {
    'a lost write': [at(0, 1, create('a')), at(2, 3, swap('a', 'b')), at(4, 5, read('a'))],
    'a stale read': [
      at(0, 1, create('a')),
      at(2, 20, swap('a', 'b')),
      at(3, 4, read('b')),
      at(5, 6, read('a')),
    ],
    'two winners of one swap': [at(0, 1, create('a')), at(2, 5, swap('a', 'b')), at(2, 5, swap('a', 'c'))],
    'a refusal without a reason': [at(0, 1, create('a')), at(2, 3, swap('a', 'b', 'refused'))],
    'absent before it was deleted': [at(0, 1, create('a')), at(2, 3, read()), at(4, 5, remove())],
    'an unknown write that comes and goes': [
      at(0, 1, create('a')),
      at(2, 3, swap('a', 'b', 'unknown')),
      at(4, 5, read('b')),
      at(6, 7, read('a')),
    ],
    'a value that nobody wrote': [at(0, 1, create('a', 'unknown')), at(2, 3, read('x'))],
    'exists, although it does not': [at(0, 1, create('a', 'exists'))],
  };
  for (const [what, history] of Object.entries(impossible)) {
    test(`finds: ${what}`, () => assert.notEqual(findViolation(history), undefined));
  }

  test('is fast enough for a thousand calls of eight clients', () => {
    const history: HistoryEntry[] = [at(0, 1, create('0'))];
    for (let round = 1; round < 130; round++) {
      const startMs = round * 10;
      history.push(at(startMs, startMs + 8, swap(String(round - 1), String(round))));
      for (let client = 0; client < 7; client++) {
        history.push(
          at(startMs + client / 10, startMs + 9, read(String(client % 2 === 0 ? round : round - 1))),
        );
      }
    }
    assert.equal(findViolation(history), undefined);
  });

  test('is fast enough for hundreds of calls of unknown outcome', () => {
    const history: HistoryEntry[] = [];
    for (let round = 0; round < 150; round++) {
      const startMs = round * 10;
      history.push(at(startMs, startMs + 9, create(`lost-${round}`, 'unknown')));
      history.push(at(startMs, startMs + 9, remove('unknown')));
      history.push(at(startMs + 1, startMs + 2, create(`${round}`, 'done')));
      history.push(at(startMs + 3, startMs + 4, read(`${round}`)));
      history.push(at(startMs + 5, startMs + 6, remove()));
    }
    assert.equal(findViolation(history), undefined);
  });

  test('is fast enough for unknown outcomes of which some show', () => {
    const history: HistoryEntry[] = [];
    for (let round = 0; round < 60; round++) {
      const startMs = round * 10;
      for (let client = 0; client < 5; client++) {
        history.push(at(startMs, startMs + 1, create(`${round}.${client}`, 'unknown')));
        history.push(at(startMs, startMs + 1, swap(`${round - 1}.2`, `${round}.s${client}`, 'unknown')));
        history.push(at(startMs, startMs + 1, remove('unknown')));
      }
      history.push(at(startMs + 5, startMs + 6, read(round % 3 === 0 ? undefined : `${round}.2`)));
    }
    assert.equal(findViolation(history), undefined);
    history.push(at(700, 701, read('59.2')), at(702, 703, read('1.2')));
    assert.notEqual(findViolation(history), undefined);
  });
});
