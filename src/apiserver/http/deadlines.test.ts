import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Awaited, Deadlines } from './deadlines.ts';

interface Named extends Awaited {
  readonly name: string;
}

const named = (name: string): Named => ({ name, deadlineAt: -1, dueMs: 0 });

/** Deadlines by a clock that a test sets; `at` wakes them at a time and gives who was told. */
function scene() {
  let nowMs = 0;
  let told: string[] = [];
  const deadlines = new Deadlines<Named>(
    ({ name }) => told.push(name),
    () => nowMs,
  );
  const at = (timeMs: number): string[] => {
    nowMs = timeMs;
    told = [];
    deadlines.wake();
    return told.sort();
  };
  return { deadlines, at };
}

test('each is told once, when its time has come', () => {
  const { deadlines, at } = scene();
  const [a, b, c] = [named('a'), named('b'), named('c')];
  deadlines.add(a, 1_000);
  deadlines.add(b, 60_000);
  deadlines.add(c, 1_000);
  assert.deepEqual(at(500), []);
  assert.deepEqual(at(1_000), ['a', 'c']);
  assert.deepEqual(at(2_000), []);
  assert.deepEqual(at(60_000), ['b']);
});

test('who left is not told, whoever has taken its place is', () => {
  const { deadlines, at } = scene();
  const [a, b, c] = [named('a'), named('b'), named('c')];
  for (const one of [a, b, c]) deadlines.add(one, 1_000);
  deadlines.delete(a);
  deadlines.delete(a);
  assert.deepEqual([a.deadlineAt, c.deadlineAt, b.deadlineAt], [-1, 0, 1]);
  deadlines.delete(b);
  assert.deepEqual(at(1_000), ['c']);
  deadlines.delete(c);
  assert.deepEqual(at(2_000), []);
});

test('one that is there already gets a new time', () => {
  const { deadlines, at } = scene();
  const a = named('a');
  deadlines.add(a, 1_000);
  deadlines.add(a, 3_000);
  assert.deepEqual(at(2_000), []);
  assert.deepEqual(at(3_000), ['a']);
});

test('the timer wakes by itself', async () => {
  const told = await new Promise<string>((resolve) => {
    // Nothing else holds the process here.
    const held = setInterval(() => {}, 1_000);
    const deadlines = new Deadlines<Named>(({ name }) => {
      clearInterval(held);
      resolve(name);
    });
    deadlines.add(named('a'), performance.now() + 60_000);
    deadlines.add(named('b'), performance.now() + 10);
  });
  assert.equal(told, 'b');
});
