import type { KubeList } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, ListOptions } from './client.ts';

/**
 * A collection, page by page, each asked for when the one before has been dealt with. The pages after the first are of the
 * revision that the first was of: what `options` say of revisions is for that one alone (KUBERNETES.md L4). Throws ApiError,
 * `Expired` when the reader was too slow.
 */
export async function* listPages(
  client: KubeClient,
  collection: CollectionRef,
  options: Omit<ListOptions, 'continue'>,
): AsyncGenerator<KubeList, void, undefined> {
  const { resourceVersion: _, resourceVersionMatch: __, ...further } = options;
  let page = await client.list(collection, options);
  yield page;
  for (let token = page.metadata.continue ?? ''; token !== ''; token = page.metadata.continue ?? '') {
    page = await client.list(collection, { ...further, continue: token });
    yield page;
  }
}
