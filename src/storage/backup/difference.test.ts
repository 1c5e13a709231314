import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareKeys } from '../key-order.ts';
import type { KeyValue, Revision, StorageKey } from '../storage.ts';
import { Differences, type Standing } from './difference.ts';

const contents = fc.dictionary(fc.string({ maxLength: 3 }), fc.constantFrom<string>('1', '2'), {
  maxKeys: 12,
});

function inOrder(content: { readonly [key: string]: string }): KeyValue[] {
  return Object.entries(content)
    .map(([key, value]) => ({ key: key as StorageKey, value: Buffer.from(value), revision: 1 as Revision }))
    .sort((left, right) => compareKeys(left.key, right.key));
}

function* pagesOf<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

describe('what a resumed restore has to do', () => {
  it('makes of what stands there what should be, and writes nothing that is there', async () => {
    const property = fc.asyncProperty(
      contents,
      contents,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      async (wanted, standing, wantedPage, standingPage) => {
        const result = new Map(Object.entries(standing));
        const pages = async function* (): AsyncGenerator<Standing[]> {
          yield* pagesOf(inOrder(standing), standingPage);
        };
        const differences = new Differences(pages());
        let keptCount = 0;
        for (const page of pagesOf(inOrder(wanted), wantedPage)) {
          const { puts, deletes, kept } = await differences.next(page);
          for (const key of deletes) assert.ok(result.delete(key));
          for (const { key, value } of puts) {
            assert.notEqual(result.get(key), value.toString());
            result.set(key, value.toString());
          }
          for (const { key, value } of kept) assert.equal(standing[key], value.toString());
          keptCount += kept.length;
        }
        for await (const keys of differences.rest()) for (const key of keys) assert.ok(result.delete(key));
        assert.deepEqual(new Map([...result].sort()), new Map(Object.entries(wanted).sort()));
        const same = Object.entries(wanted).filter(([key, value]) => standing[key] === value);
        assert.equal(keptCount, same.length);
      },
    );
    await fc.assert(property);
  });
});
