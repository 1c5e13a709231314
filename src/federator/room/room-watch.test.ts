import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type Room, RoomWatch } from './room-watch.ts';

function node(cpu: string, resourceVersion: string): KubeObject {
  const status = { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', resourceVersion }, status };
}

function pod(name: string, resourceVersion: string, more: JsonObject = {}): KubeObject {
  const containers = [{ name: 'c', resources: { requests: { cpu: '1' } } }];
  const metadata = { name, namespace: 'ns', resourceVersion };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, nodeName: 'n' }, ...more };
}

class Edge {
  readonly nodes = new ScriptedClient();
  readonly pods = new ScriptedClient();
  refusal: Error | undefined;
  #changed: (() => void)[] = [];
  readonly watch = new RoomWatch({
    edgeClient: this.#client(),
    clock: systemClock,
    logger: silentLogger,
    onChange: () => {
      for (const changed of this.#changed.splice(0)) changed();
    },
  });

  /** The next room that is as asked for. Every change is told, so that none is missed between two looks. */
  async room(isIt: (room: Room | undefined) => boolean): Promise<Room | undefined> {
    for (;;) {
      const changed = new Promise<void>((resolve) => this.#changed.push(resolve));
      const { room } = this.watch;
      if (isIt(room)) return room;
      await changed;
    }
  }

  #client(): KubeClient {
    const of = ({ gvr }: CollectionRef) => (gvr.resource === 'nodes' ? this.nodes : this.pods).client;
    return {
      ...this.nodes.client,
      list: (collection, options) => {
        if (this.refusal !== undefined && collection.gvr.resource === 'nodes')
          return Promise.reject(this.refusal);
        return of(collection).list(collection, options);
      },
      watch: (collection, options) => of(collection).watch(collection, options),
    };
  }
}

const taken = (cpu: string) => (room: Room | undefined) =>
  room?.state === 'known' && room.allocated['cpu'] === cpu;

test('sums follow nodes and pods', { timeout: 120_000 }, async (t) => {
  const edge = new Edge();
  edge.nodes.items = [node('4', '1')];
  edge.pods.items = [pod('a', '1'), pod('b', '1')];
  assert.equal(edge.watch.room, undefined);
  edge.watch.start();
  t.after(() => edge.watch.stop());
  const first = await edge.room(taken('2'));
  assert.deepEqual(first, {
    state: 'known',
    allocatable: { cpu: '4' },
    allocated: { cpu: '2', pods: '2' },
  });
  assert.equal(edge.pods.lists[0]?.fieldSelector, 'status.phase!=Succeeded,status.phase!=Failed');
  edge.pods.push({ type: 'ADDED', object: pod('c', '2') });
  await edge.room(taken('3'));
  // To a server that knows no such field selector too, one that has ended takes nothing.
  edge.pods.push({ type: 'MODIFIED', object: pod('a', '3', { status: { phase: 'Succeeded' } }) });
  await edge.room(taken('2'));
  edge.nodes.push({ type: 'DELETED', object: node('4', '4') });
  assert.deepEqual(await edge.room((room) => room?.state === 'no-nodes'), { state: 'no-nodes' });
});

test('a list that is refused is told, and forgotten when it is not any more', {
  timeout: 120_000,
}, async (t) => {
  const edge = new Edge();
  edge.refusal = new ApiError('Forbidden', 'nodes is forbidden');
  edge.watch.start();
  t.after(() => edge.watch.stop());
  assert.deepEqual(await edge.room((room) => room !== undefined), {
    state: 'unknown',
    reason: 'Forbidden',
    message: "the edge's nodes cannot be watched: nodes is forbidden",
  });
  edge.nodes.items = [node('4', '1')];
  edge.refusal = undefined;
  await edge.room((room) => room?.state === 'known');
});

test('an edge without nodes is told as that', { timeout: 120_000 }, async (t) => {
  const edge = new Edge();
  edge.watch.start();
  t.after(() => edge.watch.stop());
  await edge.room((room) => room?.state === 'no-nodes');
});
