// Several API servers on one etcd: what one has written the other reads; one is killed, etcd is restarted, clients go on.
import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ObjectRef, WatchEvent } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { TcpBalancer } from './harness/balancer.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { EtcdServer, skipWithoutEtcd } from './harness/etcd-server.ts';
import { freePort } from './harness/free-port.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from './harness/processes.ts';
import { seedFrom } from './harness/seed.ts';
import { widgetsCrd, widgetsGvr } from './harness/standing.ts';
import { until } from './harness/until.ts';
import { findViolation, type HistoryEntry } from './simulation/linearizability.ts';
import { askRegister, configMap, contentOf, inRoot, refOf } from './simulation/register-client.ts';

const leases = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' } as const;
const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' } as const;
const workspaces = { group: 'tenancy.kcp.io', version: 'v1alpha1', resource: 'workspaces' } as const;

interface Server extends AsyncDisposable {
  readonly process: CellplaneProcess;
  readonly client: RemoteClient;
}

async function startServer(dataDirectory: string, etcd: EtcdServer, givenPort?: number): Promise<Server> {
  const port = givenPort ?? (await freePort());
  const process = await startCellplane([
    ...['apiserver', '--data-dir', dataDirectory, '--port', String(port)],
    ...['--storage', 'etcd', '--etcd-servers', etcd.endpoint, '--shutdown-delay-duration', '500ms'],
  ]);
  const client = new RemoteClient(await adminConnection(dataDirectory), { userAgent: 'cellplane-test' });
  return {
    process,
    client,
    [Symbol.asyncDispose]: () => disposeAll(() => client.close(), process),
  };
}

function isEstablished(crd: KubeObject): boolean {
  const { conditions } = isJsonObject(crd['status']) ? crd['status'] : {};
  return (
    Array.isArray(conditions) &&
    conditions.some((one) => isJsonObject(one) && one['type'] === 'Established' && one['status'] === 'True')
  );
}

/** Keeps what a watch tells until it is closed, taking it up again where it broke. */
class Recorder {
  readonly events: Exclude<WatchEvent, { type: 'BOOKMARK' }>[] = [];
  /** Times that the server could not go on from where the watch had been. */
  expired = 0;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(client: RemoteClient, resourceVersion: string) {
    this.#running = this.#run(client, resourceVersion);
  }

  /** What it was told of objects whose names begin so. */
  of(prefix: string): typeof this.events {
    return this.events.filter(({ object }) => object.metadata.name?.startsWith(prefix));
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(client: RemoteClient, from: string): Promise<void> {
    const { signal } = this.#stopping;
    let resourceVersion = from;
    while (!signal.aborted) {
      try {
        for await (const event of client.watch(inRoot, { resourceVersion, signal })) {
          if (event.type === 'BOOKMARK') continue;
          this.events.push(event);
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        }
      } catch (error) {
        if (isApiError(error, 'Expired')) this.expired++;
      }
      await pause(20, undefined, { ref: false });
    }
  }
}

describe('several API servers on one etcd', { skip: skipWithoutEtcd }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let etcd: EtcdServer;
  let first: Server;
  let second: Server;
  const directoryOf = (name: string) => path.join(folder.path, name);

  before(async () => {
    folder = await temporaryFolder();
    etcd = await EtcdServer.start();
    first = await startServer(directoryOf('first'), etcd);
    await mkdir(path.join(directoryOf('second'), 'pki'), { recursive: true });
    for (const file of ['ca.crt', 'ca.key', 'service-account.key']) {
      await cp(path.join(directoryOf('first'), 'pki', file), path.join(directoryOf('second'), 'pki', file));
    }
    second = await startServer(directoryOf('second'), etcd);
  });
  after(() => disposeAll(first, second, () => etcd?.dispose(), folder));

  test('a server with another CA is refused', async () => {
    await assert.rejects(startServer(directoryOf('stranger'), etcd), ({ message }: Error) => {
      assert.match(message, /differs from that of the other servers/);
      // In one line, as everything that a person can mend.
      assert.doesNotMatch(message, /PkiError|\n {4}at /);
      return true;
    });
  });

  test('each reads at once what the other has written', async () => {
    for (let round = 0; round < 30; round++) {
      const [writer, reader] = round % 2 === 0 ? [first, second] : [second, first];
      const name = `at-once-${round}`;
      const created = await writer.client.create(inRoot, configMap(name, '1'));
      const read = await reader.client.get(refOf(name));
      assert.equal(read.metadata.resourceVersion, created.metadata.resourceVersion);
      const listed = await reader.client.list(inRoot);
      assert.ok(listed.items.some((item) => item.metadata.name === name));
      const updated = await reader.client.update(refOf(name), { ...read, data: { value: '2' } });
      await assert.rejects(writer.client.update(refOf(name), { ...read, data: { value: '3' } }), (error) =>
        isApiError(error, 'Conflict'),
      );
      await writer.client.update(refOf(name), { ...updated, data: { value: '3' } });
      await reader.client.delete(refOf(name));
      await assert.rejects(writer.client.get(refOf(name)), (error) => isApiError(error, 'NotFound'));
      await writer.client.create(inRoot, configMap(name, '4'));
      await reader.client.delete(refOf(name));
    }
  });

  test('a workspace and a CRD made through one are there on the other', async () => {
    const root = { cluster: 'root', gvr: workspaces };
    await first.client.create(root, {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: 'shared' },
      spec: { type: { name: 'universal', path: 'root' } },
    });
    const inside = { cluster: 'root:shared', gvr: inRoot.gvr, namespace: 'default' };
    await until('the workspace is ready', async () => {
      const workspace = await second.client.get({ ...root, name: 'shared' });
      return isJsonObject(workspace['status']) && workspace['status']['phase'] === 'Ready';
    });
    await second.client.create(inside, configMap('inside', '1'));
    await first.client.create({ cluster: 'root:shared', gvr: crds }, structuredClone(widgetsCrd));
    const crd = { cluster: 'root:shared', gvr: crds, name: widgetsCrd.metadata.name ?? '' };
    await until('the CRD is established', async () => isEstablished(await first.client.get(crd)));
    await second.client.list({ cluster: 'root:shared', gvr: widgetsGvr });
  });

  test('watches on both tell the same', async () => {
    const { metadata } = await first.client.list(inRoot);
    const recorders = [first, second].map(
      ({ client }) => new Recorder(client, String(metadata.resourceVersion)),
    );
    await using _ending: AsyncDisposable = {
      [Symbol.asyncDispose]: () => disposeAll(...recorders.map((recorder) => () => recorder.close())),
    };
    for (let index = 0; index < 40; index++) {
      const writer = index % 3 === 0 ? first : second;
      const object = await writer.client.create(inRoot, configMap(`watched-${index}`, '1'));
      await writer.client.update(refOf(`watched-${index}`), { ...object, data: { value: '2' } });
      await writer.client.delete(refOf(`watched-${index}`));
    }
    await until('all events', () => recorders.every((recorder) => recorder.of('watched-').length >= 120));
    await Promise.all(recorders.map((recorder) => recorder.close()));
    // What the server writes by itself may come to one of them before its end and to the other after it.
    const told = recorders.map((recorder) =>
      recorder
        .of('watched-')
        .map(({ type, object }) => `${type} ${object.metadata.name} ${object.metadata.resourceVersion}`),
    );
    assert.deepEqual(told[0], told[1]);
  });

  test('histories are linearizable and watches complete while a server dies and etcd is restarted', async (t) => {
    const seed = seedFrom('CELLPLANE_SEVERAL_SEED');
    t.diagnostic(`seed ${seed}`);
    const keys = Array.from({ length: 12 }, (_, index) => `register-${index}`);
    const histories = new Map<string, HistoryEntry[]>(keys.map((key) => [key, []]));
    const acknowledged: number[] = [];
    const { metadata } = await first.client.list(inRoot);
    const recorder = new Recorder(first.client, String(metadata.resourceVersion));
    let running = true;
    await using _ending: AsyncDisposable = {
      [Symbol.asyncDispose]: () => {
        running = false;
        return recorder.close();
      },
    };
    let isSecondAway = false;
    let calls = 0;
    const client = async (index: number): Promise<void> => {
      const random = randomFrom(seed + index);
      const server = () => (index % 2 === 0 ? first : second);
      const last = new Map<string, KubeObject>();
      for (let count = 0; running; count++) {
        if (isSecondAway && server() === second) {
          await pause(30);
          continue;
        }
        const key = keys[Math.floor(random() * keys.length)] ?? '';
        const startMs = performance.now();
        const asked = await askRegister(server().client, key, `${index}.${count}`, random(), last);
        if (asked === undefined) {
          await pause(30);
          continue;
        }
        const endMs = performance.now();
        if (asked.resourceVersion !== undefined) acknowledged.push(Number(asked.resourceVersion));
        histories.get(key)?.push({ call: asked.call, startMs, endMs });
        calls++;
        if ('answer' in asked.call && asked.call.answer === 'unknown') await pause(30);
      }
    };
    const clients = Promise.all(Array.from({ length: 8 }, (_, index) => client(index)));
    clients.catch(() => {}); // told where it is awaited
    await until('the clients work', () => calls > 400);
    isSecondAway = true;
    await second.process.kill();
    await second.client.close();
    const before = calls;
    await until('clients of the other server go on', () => calls > before + 200);
    await etcd.kill();
    await pause(400);
    await etcd.resume();
    const resumed = calls;
    await until('the server goes on after etcd came back', () => calls > resumed + 50);
    second = await startServer(directoryOf('second'), etcd);
    isSecondAway = false;
    const together = calls;
    await until('the clients of both work', () => calls > together + 400);
    running = false;
    await clients;

    t.diagnostic(`${calls} calls, ${acknowledged.length} acknowledged writes`);
    for (const [key, history] of histories) {
      const violation = findViolation(history);
      assert.equal(violation, undefined, `${key}: ${JSON.stringify(violation?.stuckAt, undefined, 1)}`);
    }
    // Nothing acknowledged is missing from the watch, nothing comes twice or out of order.
    const newest = Math.max(...acknowledged);
    const told = () => recorder.events.map(({ object }) => Number(object.metadata.resourceVersion));
    await until('the last event', () => told().some((revision) => revision >= newest));
    await recorder.close();
    assert.equal(recorder.expired, 0);
    const revisions = told();
    assert.deepEqual(
      revisions,
      [...new Set(revisions)].sort((left, right) => left - right),
    );
    const seen = new Set(revisions);
    assert.deepEqual(
      acknowledged.filter((revision) => !seen.has(revision)),
      [],
    );
    const states = await Promise.all(
      [first, second].map(async (server) =>
        (await server.client.list(inRoot)).items.map(
          (item) => `${item.metadata.name} ${item.metadata.resourceVersion} ${contentOf(item)}`,
        ),
      ),
    );
    assert.deepEqual(states[0], states[1]);
  });

  test('a rolling restart behind a balancer loses no request and no watch event', async (t) => {
    const ports = [first, second].map(({ process }) => process.port ?? 0);
    await using balancer = await TcpBalancer.start(ports);
    const connection = await adminConnection(directoryOf('first'));
    const server = `https://127.0.0.1:${balancer.port}`;
    const throughIt = () => new RemoteClient({ ...connection, server }, { userAgent: 'cellplane-test' });
    const clients = Array.from({ length: 6 }, throughIt);
    const { metadata } = await first.client.list(inRoot);
    const watcher = throughIt();
    const recorder = new Recorder(watcher, String(metadata.resourceVersion));
    let running = true;
    await using _ending: AsyncDisposable = {
      [Symbol.asyncDispose]: () => {
        running = false;
        return disposeAll(
          () => recorder.close(),
          ...[...clients, watcher].map((client) => () => client.close()),
        );
      },
    };
    const refusals = new Map<string, number>();
    const writing = clients.map(async (client, index) => {
      const name = `rolling-${index}`;
      let current = await insist(refusals, () => client.create(inRoot, configMap(name, '0')));
      let count = 0;
      while (running) {
        // Guarded by what was read last: a request that was done and not answered would show as a conflict.
        const next = { ...current, data: { value: String(count + 1) } };
        current = await insist(refusals, () => client.update(refOf(name), next));
        count++;
      }
      return count;
    });
    const counts = Promise.all(writing);
    counts.catch(() => {}); // told where it is awaited
    for (let round = 0; round < 2; round++) {
      for (const [index, name] of ['first', 'second'].entries()) {
        const restarted = index === 0 ? first : second;
        await restarted.process.stop();
        await restarted.client.close();
        const again = await startServer(directoryOf(name), etcd, ports[index]);
        if (index === 0) first = again;
        else second = again;
        await until('the balancer sees it', () => balancer.isUp(ports[index] ?? 0));
        await pause(300);
      }
    }
    running = false;
    const written = await counts;
    const sum = written.reduce((total, count) => total + count);
    t.diagnostic(`${sum} writes, refused: ${JSON.stringify([...refusals])}`);
    for (const [index, count] of written.entries()) {
      assert.ok(count > 0);
      assert.equal(contentOf(await first.client.get(refOf(`rolling-${index}`))), String(count));
      const told = () => valuesOf(recorder, `rolling-${index}`);
      await until('the last event', () => told().at(-1) === String(count));
      assert.deepEqual(
        told(),
        Array.from({ length: count + 1 }, (_, value) => String(value)),
      );
    }
    assert.equal(recorder.expired, 0);
  });

  test('controllers go over to another server when the one that runs them is killed', async () => {
    const lease: ObjectRef = {
      cluster: 'root',
      gvr: leases,
      namespace: 'kube-system',
      name: 'cellplane-apiserver',
    };
    const holder = async (server: Server) => {
      const { spec } = (await server.client.get(lease)) as KubeObject & {
        readonly spec: { holderIdentity: string };
      };
      return spec.holderIdentity;
    };
    // Which of two that were just restarted has it is chance; their logs tell.
    const leads = ({ process }: Server) => {
      const log = process.output();
      return log.lastIndexOf('this server runs') > log.lastIndexOf('this server no longer runs');
    };
    const leading = await until('one leads', () => [first, second].find(leads));
    const other = leading === first ? second : first;
    const leader = await holder(other);
    await leading.process.kill();
    await leading.client.close();
    await until('another holder', async () => !['', leader].includes(await holder(other)));
    const namespaces = { group: '', version: 'v1', resource: 'namespaces' } as const;
    await other.client.create(
      { cluster: 'root', gvr: namespaces },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'led' } },
    );
    await other.client.create({ ...inRoot, namespace: 'led' }, configMap('content', '1'));
    await other.client.delete({ cluster: 'root', gvr: namespaces, name: 'led' });
    await until('the namespace is cleared and gone', async () => {
      const { items } = await other.client.list({ cluster: 'root', gvr: namespaces });
      return items.every((item) => item.metadata.name !== 'led');
    });
  });
});

/** Park and Miller's generator: enough to choose calls, and the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Does it until it is answered. Only what says that nothing was done, or breaks the connection, is tried again. */
async function insist<T>(refusals: Map<string, number>, run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isApiError(error, 'TooManyRequests', 'ServiceUnavailable')) throw error;
      refusals.set(error.message, (refusals.get(error.message) ?? 0) + 1);
      await pause(20);
    }
  }
}

/** The values that the watch told of an object, in order. */
function valuesOf(recorder: Recorder, name: string): string[] {
  const of = recorder.events.filter(({ object }) => object.metadata.name === name);
  return of.map(({ object }) => contentOf(object));
}
