// Processes are killed and paused at random under a random load, policies change, people edit at the edges; then all
// planes are compared. A failure prints the seed: CELLPLANE_CHAOS_SEED draws the same choices again (what the machine
// makes of them differs), CELLPLANE_CHAOS_SECONDS makes it longer.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type CellPlane, differences, type ProjectPlane, revisions } from './chaos/compare.ts';
import { runFaults } from './chaos/faults.ts';
import { loadKinds } from './chaos/kinds.ts';
import { Ledger } from './chaos/ledger.ts';
import { loadObjects, runLoad, settle } from './chaos/load.ts';
import { EdgeMeddler } from './chaos/meddling.ts';
import { loadPolicy, runPolicies } from './chaos/policies.ts';
import { watched, watchProjects } from './chaos/watch-projects.ts';
import type { Watcher } from './chaos/watcher.ts';
import { Random } from './harness/random.ts';
import { seedFrom } from './harness/seed.ts';
import { type StartedConstellation, startConstellation } from './harness/started.ts';
import { until } from './harness/until.ts';

const seed = seedFrom('CELLPLANE_CHAOS_SEED');
const chaosSeconds = Number(process.env['CELLPLANE_CHAOS_SECONDS'] ?? 60);
/** Until all planes agree: seconds on a machine that does nothing else. */
const quietSeconds = 240;
const writers = 2;
const objectsPerKind = 5;
const namespaces = ['one', 'two'] as const;
const cellNames = ['pop-a-cell-a', 'pop-b-cell-b'] as const;
const projectNames = ['acme', 'globex'] as const;
const finally2to1 = { 'pop-a-cell-a': 2, 'pop-b-cell-b': 1 };

describe(`chaos, CELLPLANE_CHAOS_SEED=${seed}`, {
  timeout: (chaosSeconds + quietSeconds + 600) * 1_000,
}, () => {
  const random = new Random(seed);
  const ledger = new Ledger();
  const never = new AbortController().signal;
  let constellation: StartedConstellation;
  const projects: ProjectPlane[] = [];
  const cells: CellPlane[] = [];
  const meddlers: EdgeMeddler[] = [];
  let done: string[] = [];

  before(async () => {
    constellation = await startConstellation();
    for (const name of cellNames) {
      const edgeClient = await constellation.client(`edge-${name}`);
      cells.push({ name, cellClient: await constellation.client(`cell-${name}`), edgeClient });
      const meddler = new EdgeMeddler(edgeClient);
      await meddler.prepare();
      meddlers.push(meddler);
    }
    for (const project of projectNames) {
      const client = await constellation.client(`${project}-shop`);
      for (const name of namespaces) {
        await client.create(
          { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'namespaces' } },
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        );
      }
      const policies = namespaces.map((namespace) => loadPolicy(client, ledger, project, namespace));
      for (const policy of policies) await policy.set(finally2to1);
      const objects = Array.from({ length: writers }, (_, writer) =>
        loadObjects(client, ledger, project, namespaces, writer, objectsPerKind),
      ).flat();
      projects.push({ path: `root:${project}:shop`, client, objects, policies });
    }
  });
  after(() => constellation?.[Symbol.asyncDispose]());

  const report = (lines: readonly string[]): string =>
    [`seed ${seed}`, ...lines.slice(0, 40), `(${lines.length} in all)`, '', 'what happened:', ...done].join(
      '\n',
    );

  test('no acknowledged write is lost, no revision goes back, no watch misses an event', async () => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const watches = watchProjects(projects, ledger);
    const running = [
      ...projects.flatMap(({ client, objects, policies }) => [
        ...Array.from({ length: writers }, (_, writer) => {
          const own = objects.filter((_, at) => Math.floor((at * writers) / objects.length) === writer);
          return runLoad(client, own, random.fork(), signal);
        }),
        runPolicies(policies, cellNames, random.fork(), signal),
      ]),
      ...meddlers.map((meddler) => meddler.run(random.fork(), signal)),
    ];
    const faults = runFaults(constellation, random.fork(), signal);
    await setTimeout(chaosSeconds * 1_000);
    stopping.abort();
    done = await faults;
    await Promise.all(running);
    for (const { objects, policies } of projects) {
      for (const { tracked } of objects) assert.ok(await settle(tracked, never));
      for (const { tracked } of policies) {
        await until(`${tracked.what} is known`, () => tracked.isCertain || tracked.resolve());
      }
    }
    for (const [at, { client }] of projects.entries()) {
      const watcher = watches.watchers[at] as Watcher;
      const { items, metadata } = await client.list(watched);
      const listed = new Map(
        items.map(({ metadata: own }) => [`${own.namespace}/${own.name}`, own.resourceVersion]),
      );
      await until(
        `the watch has seen what the list at ${metadata.resourceVersion} holds`,
        () =>
          [...listed].every(([key, revision]) => watcher.objects.get(key) === revision) &&
          watcher.objects.size === listed.size,
      );
      assert.ok(watcher.resumed > 1, 'the watch was interrupted');
    }
    await watches.stop();
    assert.deepEqual(ledger.violations, [], report(ledger.violations));
    assert.deepEqual(
      meddlers.flatMap(({ unexpected }) => unexpected),
      [],
    );
    assert.ok(ledger.writes > 50, `only ${ledger.writes} writes were acknowledged`);
  });

  test('everything comes together: projects, bindings, cells, edges, statuses', async () => {
    // Replicas at zero rest where they were; here they are asked for everywhere.
    for (const { client, objects, policies } of projects) {
      for (const policy of policies) {
        const wanted = JSON.stringify(finally2to1);
        await until(`${policy.tracked.what} is set`, async () => {
          if (!policy.tracked.isCertain && !(await policy.tracked.resolve())) return false;
          if (JSON.stringify(policy.tracked.state) === wanted) return true;
          await policy.set(finally2to1);
          return false;
        });
      }
      for (const { kind, ref, tracked } of objects) {
        await until(`${tracked.what} has replicas`, async () => {
          if (!tracked.isCertain && !(await tracked.resolve())) return false;
          const { state } = tracked;
          if (!kind.scalable || state === undefined || state.replicas > 0) return true;
          const body = { spec: { replicas: 5 } };
          await tracked.write({ ...state, replicas: 5 }, () => client.patch(ref, { type: 'merge', body }));
          return false;
        });
      }
    }
    let last: string[] = [];
    await until(
      'all planes agree',
      async () => {
        last = await differences(projects, cells);
        return last.length === 0;
      },
      { timeoutMs: quietSeconds * 1_000, everyMs: 250 },
    ).catch((error: unknown) => {
      assert.fail(report(last.length > 0 ? last : [(error as Error).message]));
    });
    const touched = await Promise.all(meddlers.map((meddler) => meddler.foreignTouched()));
    assert.deepEqual(touched.flat(), [], report(touched.flat()));
    assert.deepEqual(ledger.violations, []);
  });

  test('then nobody writes any more', async () => {
    // Something late may still come on a busy machine; whoever wrote again and again would leave no such pause.
    let before = '';
    let same = 0;
    await until(
      'nobody has written for three seconds',
      async () => {
        const now = await revisions(projects, cells);
        same = now === before ? same + 1 : 0;
        before = now;
        return same >= 6;
      },
      { everyMs: 500 },
    );
  });

  test('status written at the edges is added up', async () => {
    for (const [at, { edgeClient }] of cells.entries()) {
      const { items } = await edgeClient.list({ cluster: undefined, gvr: loadKinds[1]!.gvr });
      for (const object of items) {
        const { name = '', namespace = '' } = object.metadata;
        await meddlers[at]?.writeStatus(
          { cluster: undefined, gvr: loadKinds[1]!.gvr, namespace, name },
          object,
          1,
        );
      }
    }
    let last: string[] = [];
    await until('the sums are right', async () => {
      last = await differences(projects, cells);
      return last.length === 0;
    }).catch(() => assert.fail(report(last)));
    const edits = meddlers.reduce((sum, meddler) => sum + meddler.edits, 0);
    console.log(
      `# seed ${seed}: ${ledger.writes} writes, ${ledger.unknownOutcomes} of unknown outcome, ${edits} hand edits, ${done.length} faults`,
    );
  });
});
