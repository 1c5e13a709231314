import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeClient, ListOptions } from './client.ts';
import { listPages } from './list-pages.ts';
import { ScriptedClient } from './testing/scripted-client.ts';

const collection = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'configmaps' } };

/** Pages with these tokens to what follows; what was asked is kept. */
function paged(tokens: readonly (string | undefined)[]) {
  const asked: ListOptions[] = [];
  const client: KubeClient = {
    ...new ScriptedClient().client,
    list: async (_, options = {}) => {
      asked.push(options);
      return {
        apiVersion: 'v1',
        kind: 'List',
        metadata: { resourceVersion: '7', continue: tokens[asked.length - 1] },
        items: [],
      };
    },
  };
  return { client, asked };
}

test('pages follow their tokens; revisions are asked of the first alone (L4)', async () => {
  const { client, asked } = paged(['a', 'b', '']);
  const pages: (string | undefined)[] = [];
  for await (const page of listPages(client, collection, { limit: 2, resourceVersion: '0' })) {
    pages.push(page.metadata.continue);
  }
  assert.deepEqual(pages, ['a', 'b', '']);
  assert.deepEqual(asked, [
    { limit: 2, resourceVersion: '0' },
    { limit: 2, continue: 'a' },
    { limit: 2, continue: 'b' },
  ]);
});

test('one page without a token is all; who stops reading asks no further', async () => {
  const one = paged([undefined]);
  for await (const page of listPages(one.client, collection, {})) assert.equal(page.items.length, 0);
  assert.equal(one.asked.length, 1);
  const many = paged(['a', 'b', 'c']);
  for await (const _ of listPages(many.client, collection, {})) break;
  assert.equal(many.asked.length, 1);
});
