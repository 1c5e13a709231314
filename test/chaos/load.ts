import { setTimeout } from 'node:timers/promises';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { type Content, type LoadKind, loadKinds, readContent, renderObject } from './kinds.ts';
import { type Ledger, Tracked } from './ledger.ts';

/** Longer than any pause of the server: a call that ends without an answer then went to a process that is dead. */
export const callTimeoutMs = 30_000;
const defaultPauseMs = 15;

export interface LoadObject {
  readonly kind: LoadKind;
  readonly namespace: string;
  readonly name: string;
  readonly ref: ObjectRef;
  readonly tracked: Tracked<Content>;
}

/** Stamps are ports as well. */
const stampMax = 60_000;
let stamps = 0;

/** So that a run does not depend on what ran before it in this process. */
export function resetStamps(): void {
  stamps = 0;
}

function nextStamp(): number {
  stamps = (stamps % stampMax) + 1;
  return stamps;
}

/** Objects that one writer creates, changes and deletes at random. */
export function loadObjects(
  client: KubeClient,
  ledger: Ledger,
  project: string,
  namespaces: readonly string[],
  writer: number,
  perKind: number,
  prefix = '',
): LoadObject[] {
  return namespaces.flatMap((namespace) =>
    loadKinds.flatMap((kind) =>
      Array.from({ length: perKind }, (_, i) => {
        const name = `${prefix}${kind.kind.toLowerCase()}-${writer}-${i}`;
        const ref = { cluster: undefined, gvr: kind.gvr, namespace, name };
        const tracked = new Tracked(
          `${project} ${kind.kind} ${namespace}/${name}`,
          ledger,
          () => client.get(ref, { timeoutMs: callTimeoutMs }),
          (object) => readContent(kind, object),
        );
        return { kind, namespace, name, ref, tracked };
      }),
    ),
  );
}

/** Writes until the signal fires, with a pause after each. */
export async function runLoad(
  client: KubeClient,
  objects: readonly LoadObject[],
  random: Random,
  signal: AbortSignal,
  pauseMs = defaultPauseMs,
): Promise<void> {
  while (!signal.aborted) {
    const object = random.pick(objects);
    if (!(await settle(object.tracked, signal))) return;
    await writeOnce(client, object, random);
    await setTimeout(pauseMs);
  }
}

/** Waits until the server says what an object holds; false when the signal fires before. */
export async function settle(tracked: Tracked<Content>, signal: AbortSignal): Promise<boolean> {
  while (!tracked.isCertain) {
    if (signal.aborted) return false;
    if (!(await tracked.resolve())) await setTimeout(100);
  }
  return true;
}

async function writeOnce(client: KubeClient, object: LoadObject, random: Random): Promise<void> {
  const { kind, tracked } = object;
  const { state } = tracked;
  if (state === undefined) {
    const content = newContent(kind, random);
    const how = random.weighted({ post: 3, apply: 1 });
    await tracked.write(content, () => create(client, object, content, how));
    return;
  }
  const action = random.weighted({
    change: 4,
    replace: 2,
    label: 2,
    scale: kind.scalable ? 4 : 0,
    delete: 1,
    read: 1,
  });
  switch (action) {
    case 'read':
      await tracked.resolve();
      return;
    case 'delete':
      await tracked.write(undefined, () => client.delete(object.ref, { timeoutMs: callTimeoutMs }));
      return;
    case 'label': {
      const next = { ...state, label: `l${random.between(0, 9)}` };
      await tracked.write(next, () => patch(client, object, { metadata: { labels: { chaos: next.label } } }));
      return;
    }
    case 'scale': {
      const next = { ...state, replicas: random.between(0, 12) };
      await tracked.write(next, () => patch(client, object, { spec: { replicas: next.replicas } }, 'scale'));
      return;
    }
    default: {
      const next = { ...state, stamp: nextStamp() };
      await tracked.write(next, () =>
        action === 'change' ? patch(client, object, kind.body(next)) : replace(client, object, next),
      );
    }
  }
}

function newContent(kind: LoadKind, random: Random): Content {
  return {
    stamp: nextStamp(),
    label: `l${random.between(0, 9)}`,
    replicas: kind.scalable ? random.between(1, 12) : 0,
  };
}

function create(
  client: KubeClient,
  { kind, namespace, name, ref }: LoadObject,
  content: Content,
  how: 'post' | 'apply',
): Promise<KubeObject> {
  const rendered = renderObject(kind, namespace, name, content);
  const options = { fieldManager: 'chaos', timeoutMs: callTimeoutMs };
  if (how === 'apply') return client.apply(ref, rendered, { ...options, force: true });
  return client.create(ref, rendered, options);
}

function patch(
  client: KubeClient,
  { ref }: LoadObject,
  body: JsonObject,
  subresource?: string,
): Promise<KubeObject> {
  const options = { timeoutMs: callTimeoutMs, subresource };
  return client.patch(ref, { type: 'merge', body }, options);
}

/** Reads, changes and puts back, guarded by what was read. */
async function replace(client: KubeClient, { kind, ref }: LoadObject, next: Content): Promise<KubeObject> {
  const live = await client.get(ref, { timeoutMs: callTimeoutMs });
  const spec = { ...(live['spec'] as object), ...(kind.body(next)['spec'] as object) };
  const changed = kind.body(next)['data'] === undefined ? { spec } : kind.body(next);
  return client.update(ref, { ...live, ...changed } as KubeObject, { timeoutMs: callTimeoutMs });
}
