import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import { namespace, type Pair, type Side } from './pair.ts';
import { accepts, watchedGroup } from './watches.ts';

const collections = [
  `/api/v1/namespaces/${namespace}/configmaps`,
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  `/apis/${watchedGroup}/v1/namespaces/${namespace}/watcheds`,
] as const;
const bodies: readonly JsonObject[] = [
  { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } },
  { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: {} },
  { apiVersion: `${watchedGroup}/v1`, kind: 'Watched', spec: {} },
];
const selectors = ['', '&labelSelector=expired%3Dx', '&fieldSelector=metadata.name!%3Dexpired-c'];
const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((one) => `expired-${one}`);

/** A page that another one follows, at one of the servers. */
interface Page {
  readonly collection: string;
  readonly selector: string;
  readonly token: string;
}

/** What one server has told before it forgot: both have told as much. */
interface Told {
  readonly revisions: readonly string[];
  readonly pages: readonly Page[];
  /** By collection: a revision that is not forgotten. */
  readonly newest: ReadonlyMap<string, string>;
}

export type Remembered = { readonly [side in Side]: Told };

/** Objects, lists of which the first page is read, changes after it; then both servers forget all but the newest state. */
export async function expiredStates(pair: Pair): Promise<Remembered> {
  const told = { oracle: await toldBy(pair, 'oracle'), ours: await toldBy(pair, 'ours') };
  await pair.forget();
  for (const collection of collections) {
    await until(`both serve ${collection} again`, async () => {
      const answers = await pair.send({ path: collection }).catch(() => undefined);
      return answers?.oracle.status === 200 && answers.ours.status === 200;
    });
  }
  return { oracle: await withNewest(pair, 'oracle', told), ours: await withNewest(pair, 'ours', told) };
}

async function withNewest(pair: Pair, side: Side, told: Remembered): Promise<Told> {
  const newest = new Map<string, string>();
  for (const [at, path] of collections.entries()) {
    // Of an object of its own: a cache over an etcd before 3.4.25 is told of no other progress.
    const body = JSON.stringify({ ...bodies[at], metadata: { name: 'expired-newest' } });
    const answer = await pair.ask(side, { path, body });
    newest.set(path, String(metadataOf(answer)['resourceVersion']));
  }
  return { ...told[side], newest };
}

async function toldBy(pair: Pair, side: Side): Promise<Told> {
  const revisions: string[] = [];
  const pages: Page[] = [];
  const ask = async (request: RawRequest): Promise<RawAnswer> => {
    const answer = await pair.ask(side, request);
    if (answer.status >= 300) throw new Error(`${request.path}: ${answer.status} ${answer.text}`);
    const { resourceVersion } = metadataOf(answer);
    if (typeof resourceVersion === 'string') revisions.push(resourceVersion);
    return answer;
  };
  for (const [at, path] of collections.entries()) {
    for (const [index, name] of names.entries()) {
      const labels = index % 2 === 0 ? { expired: 'x' } : {};
      await ask({ path, body: JSON.stringify({ ...bodies[at], metadata: { name, labels } }) });
    }
    for (const selector of selectors) {
      for (const limit of [1, 2]) {
        const page = await ask({ path: `${path}?limit=${limit}${selector}` });
        pages.push({ collection: path, selector, token: String(metadataOf(page)['continue']) });
      }
    }
    await pair.ask(side, { path: `${path}/expired-d`, method: 'DELETE' });
    const changed = JSON.stringify({ metadata: { annotations: { changed: 'yes' } } });
    const contentType = 'application/merge-patch+json';
    await ask({ path: `${path}/expired-e`, method: 'PATCH', contentType, body: changed });
  }
  // A server that stops at the last revision that it told keeps that one; one that has written something of its own forgets it.
  const last = { ...bodies[0], metadata: { name: 'expired-last' } };
  await pair.ask(side, { path: collections[0], body: JSON.stringify(last) });
  return { revisions, pages, newest: new Map() };
}

function metadataOf({ json }: RawAnswer): JsonObject {
  return (json?.['metadata'] ?? {}) as JsonObject;
}

/** A read or a watch that may name what is forgotten; then, of a list, whatever the answer offers to go on with. */
export interface ExpiredCase {
  readonly name: string;
  readonly request: (told: Told) => RawRequest;
  readonly goesOnWith: string;
}

export function expiredReads(random: Random, { oracle }: Remembered, count: number): ExpiredCase[] {
  return Array.from({ length: count }, (_, at) => expiredRead(random.fork(), oracle, at));
}

function expiredRead(random: Random, { revisions, pages }: Told, at: number): ExpiredCase {
  const isWatch = random.next() < 0.5;
  const revision = random.between(0, revisions.length - 1);
  const page = random.between(0, pages.length - 1);
  const query = new URLSearchParams();
  const some = (chance: number) => random.next() < chance;
  const from = random.weighted({ none: 1, zero: 1, known: isWatch ? 6 : 3, newest: 1 });
  const match = random.weighted({ none: 3, Exact: 1, NotOlderThan: 2 });
  const continues = some(isWatch ? 0.05 : 0.5);
  if (match !== 'none' && some(0.8)) query.set('resourceVersionMatch', match);
  if (some(isWatch ? 0.1 : 0.5)) query.set('limit', random.pick(['1', '2', '500']));
  if (some(isWatch ? 0.3 : 0.05)) query.set('sendInitialEvents', random.pick(['true', 'false']));
  if (some(isWatch ? 0.4 : 0.1)) query.set('allowWatchBookmarks', 'true');
  if (isWatch) query.set('watch', 'true');
  if (isWatch || some(0.1)) query.set('timeoutSeconds', '1');
  const collection = random.pick(collections);
  const selector = random.pick(selectors);
  const isForeign = some(0.15);
  const headers = { accept: some(0.6) ? 'application/json' : random.pick(accepts) };
  const goesOnWith = `&limit=${random.pick(['1', '500'])}`;
  return {
    name: `expired ${at}: ${isWatch ? 'watch' : 'list'} ${query} ${from} ${continues ? 'continue' : ''}`,
    goesOnWith,
    request: (told) => {
      const { token, ...of } = told.pages[page] as Page;
      const asked = new URLSearchParams(query);
      if (continues) asked.set('continue', token);
      if (from === 'zero') asked.set('resourceVersion', '0');
      const at = continues && !isForeign ? of.collection : collection;
      const known = from === 'newest' ? told.newest.get(at) : told.revisions[revision];
      if ((from === 'known' || from === 'newest') && (!continues || isForeign))
        asked.set('resourceVersion', String(known));
      return { path: `${at}?${asked}${continues && !isForeign ? of.selector : selector}`, headers };
    },
  };
}

/** Where to go on; undefined when the answer does not say. */
export function goingOn(
  { path, headers }: RawRequest,
  answer: RawAnswer,
  how: string,
): RawRequest | undefined {
  const token = metadataOf(answer)['continue'];
  if (typeof token !== 'string' || token === '' || /[?&]watch=/.test(path)) return undefined;
  const [collection = '', query = ''] = path.split('?');
  const kept = new URLSearchParams(query);
  for (const name of [...kept.keys()]) if (!name.endsWith('Selector')) kept.delete(name);
  return { path: `${collection}?${kept}&continue=${token}${how}`, headers };
}
