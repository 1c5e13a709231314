// Several schedulers on one control plane: with Redis they share the work, without they stand by for one another. One is
// killed, Redis is flushed, killed and hangs: every object ends in its cell as it should be, and nothing is written needlessly.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { logicalClusterName, logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { schedulerGroup, schedulerUserName } from '#apiserver/authz/components.ts';
import { renderKubeconfig, writePrivateFile } from '#cli/kubeconfig-file.ts';
import type { CollectionRef } from '#client/client.ts';
import { laneCount, laneOf } from '#client/queue/lanes.ts';
import { RedisServer, redisMissing } from '#client/queue/testing/redis-server.ts';
import { Constellation } from './harness/constellation.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { type CellplaneProcess, startCellplane, temporaryFolder } from './harness/processes.ts';
import { connectionAs } from './harness/test-pki.ts';
import { until } from './harness/until.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
const policies = {
  group: 'policy.karmada.io',
  version: 'v1alpha1',
  resource: 'propagationpolicies',
} as const;
const schedulerLease = {
  cluster: 'root',
  gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  namespace: 'kube-system',
  name: 'cellplane-scheduler',
} as const;
/** How many schedulers Redis knows of. */
const membersCount = `EVAL "return redis.call('ZCARD', redis.call('KEYS', 'cellplane:*:members')[1])" 0`;
const cells = ['cell-a', 'cell-b'];
const projectCount = 12;
const objectsEach = 6;
/** To come up, to hear of one another, and to hand over: seconds on a machine that does nothing else. */
const sharedWithin = { timeoutMs: 180_000, everyMs: 50 };
const rightWithin = { timeoutMs: 180_000, everyMs: 100 };

/** What the projects say, and what lies in the cells. */
class Scene implements AsyncDisposable {
  readonly constellation: Constellation;
  readonly kubeconfig: string;
  readonly projects: readonly string[];
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Object → its value. */
  readonly wanted = new Map<string, string>();

  private constructor(
    constellation: Constellation,
    folder: Awaited<ReturnType<typeof temporaryFolder>>,
    kubeconfig: string,
    projects: readonly string[],
  ) {
    this.constellation = constellation;
    this.#folder = folder;
    this.kubeconfig = kubeconfig;
    this.projects = projects;
  }

  static async open(): Promise<Scene> {
    const folder = await temporaryFolder();
    const constellation = await Constellation.start({ cells, federators: [], scheduler: false });
    const user = { name: schedulerUserName, groups: [schedulerGroup] };
    const connection = connectionAs(constellation.pki, constellation.server.url, user);
    const kubeconfig = path.join(folder.path, 'scheduler.kubeconfig');
    await writePrivateFile(kubeconfig, renderKubeconfig([{ name: 'root', connection }], 'root'));
    const projects: string[] = [];
    for (let index = 0; index < projectCount; index++) {
      const project = await constellation.createProject(`root:acme:p${index}`);
      projects.push(project);
      await constellation.admin.create(
        { cluster: project, gvr: policies, namespace: 'shop' },
        {
          apiVersion: 'policy.karmada.io/v1alpha1',
          kind: 'PropagationPolicy',
          metadata: { name: 'all' },
          spec: {
            resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
            placement: { clusterAffinity: { clusterNames: [cells[index % 2] ?? ''] } },
          },
        },
      );
    }
    return new Scene(constellation, folder, kubeconfig, projects);
  }

  scheduler(...flags: string[]): Promise<CellplaneProcess> {
    return startCellplane(['scheduler', '--kubeconfig', this.kubeconfig, ...flags]);
  }

  /** Writes every object with a value of its own. */
  async write(round: string): Promise<void> {
    await Promise.all(
      this.projects.map(async (project) => {
        for (let index = 0; index < objectsEach; index++) await this.#put(project, `o${index}`, round);
      }),
    );
  }

  async #put(project: string, name: string, value: string): Promise<void> {
    const collection = { cluster: project, gvr: configMaps, namespace: 'shop' };
    const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } };
    try {
      await this.constellation.admin.create(collection, object);
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
      await this.constellation.admin.update({ ...collection, name }, object);
    }
    this.wanted.set(`${project} ${name}`, value);
  }

  /** Origin → value, of all copies; throws when one lies where it should not. */
  async copies(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const [index, cell] of cells.entries()) {
      const { items } = await this.constellation.admin.list({
        cluster: `root:cells:${cell}`,
        gvr: configMaps,
      });
      for (const { metadata, ...rest } of items) {
        const origin = metadata.annotations?.[copyAnnotations.originPath];
        if (origin === undefined) continue;
        assert.equal(Number(/\d+$/.exec(origin)?.[0]) % 2, index, `${origin} in ${cell}`);
        const { data } = rest as { data?: unknown };
        found.set(
          `${origin} ${metadata.annotations?.[copyAnnotations.originName]}`,
          isJsonObject(data) ? String(data['value']) : '',
        );
      }
    }
    return found;
  }

  untilRight(what: string): Promise<unknown> {
    let wrong = '';
    return until(
      what,
      async () => {
        const found = await this.copies();
        const missing = [...this.wanted].filter(([name, value]) => found.get(name) !== value);
        wrong = `${missing.length} wrong, such as ${missing[0]}`;
        if (missing.length === 0 && found.size === this.wanted.size) return true;
        throw new Error(wrong);
      },
      rightWithin,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(this.constellation, this.#folder);
  }
}

/** Counts what is written to the objects of a collection from now on. */
class WriteCount {
  readonly writes = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  private constructor(scene: Scene, collection: CollectionRef, resourceVersion: string | undefined) {
    this.#running = this.#run(scene, collection, resourceVersion);
    this.#running.catch(() => {}); // told by `stop`
  }

  static async start(scene: Scene, collection: CollectionRef): Promise<WriteCount> {
    const { metadata } = await scene.constellation.admin.list(collection, { limit: 1 });
    return new WriteCount(scene, collection, metadata.resourceVersion);
  }

  /** Goes on where a watch broke. One that cannot go on ends it: then `reached` waits in vain, and `stop` tells why. */
  async #run(scene: Scene, collection: CollectionRef, from: string | undefined): Promise<void> {
    const { signal } = this.#stopping;
    let resourceVersion = from;
    while (!signal.aborted) {
      try {
        for await (const event of scene.constellation.admin.watch(collection, { resourceVersion, signal })) {
          if (event.type === 'BOOKMARK') continue;
          const { annotations, namespace, name } = event.object.metadata;
          const key = `${annotations?.[clusterAnnotation]} ${namespace}/${name}`;
          this.writes.set(key, (this.writes.get(key) ?? 0) + 1);
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        }
      } catch (error) {
        if (!isApiError(error, 'ServiceUnavailable', 'TooManyRequests')) throw error;
      }
      await pause(20, undefined, { ref: false });
    }
  }

  /** Resolves when so many objects were written: the watch tells later than a list does. */
  async reached(objects: number): Promise<void> {
    await until(`${objects} objects were written`, () => this.writes.size >= objects, rightWithin);
  }

  /** Ends it. Returns how often the object was written that was written most, and all writes. */
  async stop(): Promise<{ readonly most: number; readonly total: number }> {
    this.#stopping.abort();
    await this.#running;
    const counts = [...this.writes.values()];
    return { most: Math.max(0, ...counts), total: counts.reduce((sum, count) => sum + count, 0) };
  }
}

/** The lanes that a scheduler says it holds. */
function lanesOf({ output }: CellplaneProcess): Set<number> {
  const held = new Set<number>();
  // What follows the last end of a line is a part of one.
  for (const line of output().split('\n').slice(0, -1)) {
    if (!line.includes('of work')) continue;
    const { msg, lanes } = JSON.parse(line) as { readonly msg: string; readonly lanes: readonly number[] };
    for (const lane of lanes) msg.includes('taken') ? held.add(lane) : held.delete(lane);
  }
  return held;
}

async function untilShared(schedulers: readonly CellplaneProcess[]): Promise<void> {
  await until(
    'all lanes are held, evenly',
    () => {
      const held = schedulers.map(lanesOf);
      const all = new Set(held.flatMap((lanes) => [...lanes]));
      const sum = held.reduce((count, { size }) => count + size, 0);
      if (sum === laneCount && all.size === laneCount && held.every(({ size }) => size <= laneCount / 2))
        return true;
      const last = schedulers.map(({ output }) => output().slice(-500));
      throw new Error(`${held.map((lanes) => [...lanes].join(' ')).join(' and ')}; ${last.join('\n')}`);
    },
    sharedWithin,
  );
}

describe('several schedulers that share the work through Redis', { skip: redisMissing ?? false }, () => {
  let scene: Scene;
  let redis: RedisServer;
  const schedulers: CellplaneProcess[] = [];

  before(async () => {
    [scene, redis] = await Promise.all([Scene.open(), RedisServer.start()]);
    for (let count = 0; count < 2; count++) schedulers.push(await scene.scheduler('--redis', redis.url));
    await untilShared(schedulers);
  });
  after(async () => {
    await disposeAll(...schedulers, () => redis?.stop(), scene);
  });

  test('each has a part of the projects, and every object is decided and written once', async (t) => {
    const ids = await Promise.all(
      scene.projects.map(async (cluster) => {
        const { metadata } = await scene.constellation.admin.get({
          cluster,
          gvr: logicalClustersGvr,
          name: logicalClusterName,
        });
        return metadata.annotations?.[clusterAnnotation] ?? '';
      }),
    );
    // Ids are random: once in some thousand runs one of them has none of so few.
    const shares = schedulers.map((scheduler) => ids.filter((id) => lanesOf(scheduler).has(laneOf(id))));
    assert.deepEqual(shares.flat().sort(), ids.toSorted(), 'each project is one scheduler’s');
    const decisions = await WriteCount.start(scene, { cluster: '*', gvr: resourceBindingsGvr });
    await scene.write('first');
    await scene.untilRight('all objects are in their cells');
    await pause(500);
    const copies = await Promise.all(
      cells.map((cell) => WriteCount.start(scene, { cluster: `root:cells:${cell}`, gvr: configMaps })),
    );
    await decisions.reached(scene.wanted.size);
    const { most, total } = await decisions.stop();
    t.diagnostic(`${total} writes of ${scene.wanted.size} bindings`);
    assert.equal(total, scene.wanted.size);
    assert.equal(most, 1);
    await scene.write('second');
    await scene.untilRight('all copies are up to date');
    await Promise.all(copies.map((count) => count.reached(scene.wanted.size / cells.length)));
    await pause(500);
    const counts = await Promise.all(copies.map((count) => count.stop()));
    assert.deepEqual(
      counts.map((count) => count.most),
      [1, 1],
    );
  });

  test('one is killed under load: the other takes its part over', async () => {
    const writing = (async () => {
      for (let round = 0; round < 5; round++) await scene.write(`killed-${round}`);
    })();
    writing.catch(() => {}); // told where it is awaited
    await pause(200);
    await schedulers[0]?.kill();
    await writing;
    await scene.untilRight('the other does all of it');
    await until(
      'the other has all of it',
      () => lanesOf(schedulers[1] as CellplaneProcess).size === laneCount,
      sharedWithin,
    );
  });

  test('one that comes gets its part, and one that is stopped leaves it at once', async () => {
    schedulers[0] = await scene.scheduler('--redis', redis.url);
    await untilShared(schedulers);
    await scene.write('joined');
    await scene.untilRight('both work');
    await schedulers[0].stop();
    assert.equal(await redis.send(membersCount), ':1', 'no lease of its own has to end');
    await until(
      'the other has all of it',
      () => lanesOf(schedulers[1] as CellplaneProcess).size === laneCount,
      sharedWithin,
    );
    schedulers[0] = await scene.scheduler('--redis', redis.url);
    await untilShared(schedulers);
  });

  test('Redis is flushed, killed, and hangs under load: what it lost is looked at again', async () => {
    const before = await WriteCount.start(scene, { cluster: '*', gvr: resourceBindingsGvr });
    let writing = scene.write('flushed');
    writing.catch(() => {}); // told where it is awaited
    await redis.send('FLUSHALL');
    await writing;
    await redis.send('FLUSHALL');
    await scene.untilRight('after a flush');
    await redis.kill();
    await scene.write('killed');
    await redis.start();
    await scene.untilRight('after a restart without its data');
    process.kill(redis.pid ?? 0, 'SIGSTOP');
    writing = scene.write('hung');
    writing.catch(() => {}); // told where it is awaited
    await pause(7_000);
    process.kill(redis.pid ?? 0, 'SIGCONT');
    await writing;
    await scene.untilRight('after it hung');
    await untilShared(schedulers);
    const { total } = await before.stop();
    assert.ok(total <= scene.wanted.size * 3, `${total} writes of bindings that did not change`);
  });
});

describe('several schedulers without Redis', () => {
  test('one works, and the other goes on when it is killed or stopped', async () => {
    await using scene = await Scene.open();
    await using first = await scene.scheduler();
    await scene.write('first');
    await scene.untilRight('the first works');
    await using second = await scene.scheduler('--lease-identity', 'second');
    const decisions = await WriteCount.start(scene, { cluster: '*', gvr: resourceBindingsGvr });
    await scene.write('second');
    await scene.untilRight('still one works');
    await first.kill();
    await scene.write('third');
    await scene.untilRight('the second works');
    await using third = await scene.scheduler();
    await second.stop();
    const { spec } = await scene.constellation.admin.get(schedulerLease);
    assert.notEqual((spec as { holderIdentity?: string }).holderIdentity, 'second', 'no lease has to end');
    await scene.write('fourth');
    await scene.untilRight('the third works');
    await third.stop();
    const { most } = await decisions.stop();
    assert.ok(most <= 4);
  });
});
