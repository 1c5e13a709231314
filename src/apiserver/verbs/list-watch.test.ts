import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '#apimachinery/json.ts';
import { nameOf } from './selection.ts';
import { Harness, type WatchRecorder } from './testing/harness.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const names = ['a', 'ab', 'b', 'c'];
const selectors = ['', '&labelSelector=in%3Dyes', '&fieldSelector=metadata.name%3Dab', '&labelSelector=!in'];

type Step =
  | { readonly type: 'write'; readonly name: string; readonly label: string | null }
  | { readonly type: 'delete'; readonly name: string }
  | { readonly type: 'watch'; readonly selector: string; readonly initial: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      name: fc.constantFrom(...names),
      label: fc.constantFrom('yes', 'no', null),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('delete' as const), name: fc.constantFrom(...names) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('watch' as const),
      selector: fc.constantFrom(...selectors),
      initial: fc.boolean(),
    }),
  },
);

interface Follower {
  readonly selector: string;
  readonly before: ReadonlyMap<string, string>;
  readonly watch: WatchRecorder;
}

/** What a client that applies the events to its first list believes to exist, with revisions. */
function believed({ before, watch }: Follower): Map<string, string> {
  const state = new Map(before);
  let last = 0;
  for (const { type, entry, revision, event } of watch.deliveries) {
    const name = nameOf(entry.key);
    if (event !== undefined) {
      assert.ok(revision > last, 'revisions rise');
      last = revision;
    }
    if (type === 'ADDED') assert.ok(!state.has(name), `${name} was there already`);
    else assert.ok(state.has(name), `${name} was not there`);
    if (type === 'DELETED') state.delete(name);
    else state.set(name, String(revision));
  }
  return state;
}

async function run(steps: readonly Step[]): Promise<void> {
  await using harness = await Harness.open({ ringEventsMax: 8 });
  const followers: Follower[] = [];
  const listed = async (selector: string) => {
    const list = await harness.list(`${maps}?limit=0${selector}`);
    const state = new Map(list.items.map(({ metadata }) => [metadata.name!, metadata.resourceVersion!]));
    return { state, revision: list.revision };
  };
  for (const one of steps) {
    if (one.type === 'watch') {
      const { state, revision } = await listed(one.selector);
      const from = one.initial ? '' : `&resourceVersion=${revision}`;
      const watch = await harness.watch(`${maps}?watch=true${from}${one.selector}`);
      followers.push({ selector: one.selector, before: one.initial ? new Map() : state, watch });
    } else if (one.type === 'delete') {
      await harness.delete(`${maps}/${one.name}`).catch(() => undefined);
    } else {
      const body: JsonObject = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: one.name, labels: one.label === null ? {} : { in: one.label } },
      };
      const exists = await harness.get(`${maps}/${one.name}`).then(
        () => true,
        () => false,
      );
      if (exists) await harness.put(`${maps}/${one.name}`, body);
      else await harness.post(maps, body);
    }
  }
  for (const follower of followers) {
    const { state } = await listed(follower.selector);
    assert.deepEqual(new Map([...believed(follower)].sort()), new Map([...state].sort()), follower.selector);
    follower.watch.stop();
  }
}

test('a list and the events after it are the state, for every selector (W2, W3)', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), run), { numRuns: 40 });
});
