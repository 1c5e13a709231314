import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isStorageError } from '../errors.ts';
import type { Operation, Storage } from '../storage.ts';
import { guard, key, type PlainEvent, plain, record, revision, until } from './storage-fixture.ts';

/** The reference model and the store under test, driven alike. */
export interface ModelWorld {
  readonly model: Storage;
  store: Storage;
  readonly reopen: (() => Promise<Storage>) | undefined;
  /** Live watches: what the model and the store delivered. */
  readonly watches: { prefix: string; model: PlainEvent[]; store: PlainEvent[] }[];
}

type Step = (world: ModelWorld) => Promise<void>;

const names = [
  '/g/r/a/n/1',
  '/g/r/a/n/2',
  '/g/r/a/n2/1',
  '/g/r/b//1',
  '/g/r2/a/n/1',
  '/h/r/a/n/1',
  '/stray',
  'stray',
];
const prefixes = [
  '',
  '/',
  '/g/',
  '/g/r',
  '/g/r/',
  '/g/r/a/',
  '/g/r/a/n',
  '/g/r/a/n/1',
  '/h/r/',
  '/s',
  's',
  '/none/',
];
const nameArbitrary = fc.constantFrom(...names);
const prefixArbitrary = fc.constantFrom(...prefixes);

const operationsArbitrary: fc.Arbitrary<Operation[]> = fc
  .uniqueArray(fc.record({ name: nameArbitrary, value: fc.option(fc.string({ maxLength: 8 })) }), {
    selector: ({ name }) => name,
    maxLength: 4,
  })
  .map((drafts) =>
    drafts.map(({ name, value }) =>
      value === null
        ? { type: 'delete', key: key(name) }
        : { type: 'put', key: key(name), value: Buffer.from(value) },
    ),
  );

/** Guards at what stands (offset 0) or beside it. */
const guardsArbitrary = fc.array(
  fc.record({ name: nameArbitrary, offset: fc.constantFrom(0, 0, 0, -1, 1, 'absent' as const) }),
  { maxLength: 2 },
);

const transactStep = fc
  .record({ guards: guardsArbitrary, operations: operationsArbitrary })
  .map(({ guards, operations }): Step => {
    return async ({ model, store }) => {
      const held = await Promise.all(
        guards.map(async ({ name, offset }) => {
          const at = offset === 'absent' ? 0 : ((await model.get(key(name)))?.revision ?? 0) + offset;
          return guard(name, Math.max(0, at));
        }),
      );
      const expected = await model.transact({ guards: held, operations });
      const found = await store.transact({ guards: held, operations });
      if (expected.committed) assert.deepEqual(found, expected);
      else assert.deepEqual(plainResult(found), plainResult(expected));
    };
  });

const rangeStep = fc
  .record({
    prefix: prefixArbitrary,
    startAfter: fc.option(nameArbitrary, { nil: undefined }),
    limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    bytesMax: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    back: fc.option(fc.integer({ min: -2, max: 12 }), { nil: undefined }),
  })
  .map(({ prefix, startAfter, limit, bytesMax, back }): Step => {
    return async ({ model, store }) => {
      const head = await model.currentRevision();
      const options = {
        prefix,
        limit,
        bytesMax,
        startAfter: startAfter === undefined ? undefined : key(startAfter),
        atRevision: back === undefined ? undefined : revision(head - back),
      };
      const range = async (storage: Storage) => {
        const result = await outcome(storage.range(options));
        return typeof result === 'string'
          ? result
          : { ...result, items: result.items.map((item) => plain(item)) };
      };
      assert.deepEqual(await range(store), await range(model), JSON.stringify(options));
    };
  });

const getStep = nameArbitrary.map((name): Step => {
  return async ({ model, store }) => {
    assert.deepEqual(plain(await store.get(key(name))), plain(await model.get(key(name))));
  };
});

const compactStep = fc.integer({ min: 0, max: 12 }).map((back): Step => {
  return async ({ model, store }) => {
    const to = revision(Math.max(1, (await model.currentRevision()) - back));
    await model.compact(to);
    await store.compact(to);
    assert.equal(await store.compactedRevision(), await model.compactedRevision());
  };
});

const watchStep = fc
  .record({ prefix: prefixArbitrary, back: fc.integer({ min: -2, max: 12 }), live: fc.boolean() })
  .map(({ prefix, back, live }): Step => {
    return async ({ model, store, watches }) => {
      const afterRevision = revision((await model.currentRevision()) - back);
      const expected = await outcome(record(model, { prefix, afterRevision }));
      const found = await outcome(record(store, { prefix, afterRevision }));
      if (typeof expected === 'string' || typeof found === 'string') {
        assert.equal(found, expected);
        return;
      }
      if (live) {
        watches.push({ prefix, model: expected.events, store: found.events });
        return;
      }
      await until('the backlog', () => found.events.length >= expected.events.length);
      assert.deepEqual(found.events, expected.events);
      expected.subscription.close();
      found.subscription.close();
    };
  });

const reopenStep = fc.constant<Step>(async (world) => {
  if (world.reopen === undefined) return;
  await settleWatches(world);
  world.watches.length = 0;
  world.store = await world.reopen();
});

/** A random run of the store's operations. */
export const stepsArbitrary: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: transactStep },
    { weight: 4, arbitrary: rangeStep },
    { weight: 2, arbitrary: getStep },
    { weight: 2, arbitrary: watchStep },
    { weight: 1, arbitrary: compactStep },
    { weight: 1, arbitrary: reopenStep },
  ),
  { minLength: 1, maxLength: 40 },
);

/** Runs the steps; the store must answer and deliver exactly as the model does. */
export async function runSteps(world: ModelWorld, steps: readonly Step[]): Promise<void> {
  for (const step of steps) await step(world);
  await settleWatches(world);
}

async function settleWatches({ watches }: ModelWorld): Promise<void> {
  for (const watch of watches) {
    await until(`the events of ${watch.prefix}`, () => watch.store.length >= watch.model.length);
    assert.deepEqual(watch.store, watch.model);
  }
}

async function outcome<Result>(promise: Promise<Result>): Promise<Result | string> {
  try {
    return await promise;
  } catch (error) {
    if (isStorageError(error)) return error.code;
    throw error;
  }
}

function plainResult(result: Awaited<ReturnType<Storage['transact']>>): unknown {
  return result.committed ? result : { ...result, current: plain(result.current) };
}
