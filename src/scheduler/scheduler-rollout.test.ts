import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PropagationPolicy } from '#api/policy/propagation-policy.ts';
import { progressText } from '#api/policy/rollout-progress.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { templateRevisionsGvr } from '#api/work/template-revision.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { KeyQueue } from '#client/queue/key-queue.ts';
import { laneOf } from '#client/queue/lanes.ts';
import type { SharingListener, WorkSharing } from '#client/queue/work-sharing.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { edge, imageOf, withImage } from './testing/edge.ts';
import { HalfOfTheLanes, projectsOfBoth } from './testing/half-of-the-lanes.ts';
import { clusterPolicy, deployment, policy } from './testing/objects.ts';
import { bindingWhere, policies, startScheduler, type World, withUpdate, world } from './testing/world.ts';

const gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
/** All images that copies in a cell have had from now on: also one that is gone back on before anybody looks. */
async function imagesIn({ controlPlane }: World, cell: string) {
  const images = new Set<string>();
  const stopping = new AbortController();
  const watch = async (): Promise<void> => {
    const events = controlPlane.admin.watch(
      { cluster: `root:cells:${cell}`, gvr },
      { signal: stopping.signal },
    );
    for await (const event of events) if (event.type !== 'BOOKMARK') images.add(imageOf(event.object));
  };
  const done = watch();
  await until('what is there is told', () => images.size > 0);
  return {
    images,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await done;
    },
  };
}

test('a change reaches its cells wave by wave, waits for approval, and is gone back on when it fails', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  const web = { cluster: project, gvr, namespace: 'default', name: 'web' };
  const rollout = {
    waves: [
      { name: 'canary', clusterAffinity: { clusterNames: ['ams'] } },
      { name: 'all', approval: true },
    ],
    healthTimeoutSeconds: 60,
  };
  const spec = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }], rollout };
  const phaseIs = (phase: string, target?: string) =>
    bindingWhere(controlPlane, project, 'web', ({ status }) => {
      return status?.rollout?.phase === phase && (target === undefined || status.rollout.target !== target);
    });
  const policyRef = {
    cluster: project,
    gvr: gvrOf(policies, 'propagationpolicies'),
    namespace: 'default',
    name: 'web',
  };
  const progressIs = (text: string) =>
    until(`the policy tells ${text}`, async () => {
      const { status } = (await controlPlane.admin.get(policyRef)) as PropagationPolicy;
      return progressText(status?.rollout) === text ? status?.rollout : undefined;
    });
  const patch = (body: JsonObject) => controlPlane.admin.patch(web, { type: 'merge', body });
  let target = '';
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
    await controlPlane.create(project, 'deployments', deployment('web', 2));
    const placed = await phaseIs('Complete');
    assert.equal(placed.status?.rollout?.cells, 2);

    await patch(withImage('app:2'));
    const waiting = await phaseIs('AwaitingApproval');
    target = waiting.status?.rollout?.target ?? '';
    assert.deepEqual(waiting.status?.rollout?.updated, 1);
    const progress = await progressIs('AwaitingApproval 0/1');
    const unfinished = { resource: 'deployments.apps', namespace: 'default', name: 'web', wave: 'canary' };
    const { message, ...first } = progress?.unfinished?.[0] ?? {};
    assert.deepEqual(first, { ...unfinished, phase: 'AwaitingApproval', updated: 1, cells: 2 });
    assert.match(String(message), /rollout-approved/);
    const [old] = await w.fra.copies('apps/v1', 'deployments');
    assert.equal(imageOf(old as KubeObject), 'registry.example.com/app:1');
    // Replicas are no change that is rolled out.
    await patch({ spec: { replicas: 3 } });
    await w.fra.copy('apps/v1', 'deployments', 'web', (one) => (one['spec'] as JsonObject)['replicas'] === 3);
    assert.equal(
      imageOf((await w.fra.copies('apps/v1', 'deployments'))[0] as KubeObject),
      'registry.example.com/app:1',
    );
    await patch({ spec: { replicas: 2 } });
  }
  // A restart forgets nothing of it.
  await using _scheduler = await startScheduler(controlPlane);
  await patch({ metadata: { annotations: { 'federation.cellplane.io/rollout-approved': `${target}/all` } } });
  await phaseIs('Complete');
  const complete = await progressIs('Complete 1/1');
  assert.equal(complete?.unfinished, undefined);

  await controlPlane.admin.patch(policyRef, {
    type: 'merge',
    body: { spec: { rollout: { ...rollout, healthTimeoutSeconds: 1 } } },
  });
  await using inAms = await imagesIn(w, 'ams');
  await patch(withImage('app:broken'));
  const back = await phaseIs('RolledBack');
  await progressIs('RolledBack 0/1');
  assert.match(back.status?.rollout?.message ?? '', /not healthy in time: ams/);
  await w.ams.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  await until('it was tried', () => inAms.images.has('app:broken'));
  const [fra] = await w.fra.copies('apps/v1', 'deployments');
  assert.equal(imageOf(fra as KubeObject), 'app:2');

  const revisions = await controlPlane.list(project, 'federation.cellplane.io/v1alpha1', 'templaterevisions');
  const [revision] = revisions;
  assert.equal(revisions.length, 1);
  const ref = {
    cluster: project,
    gvr: templateRevisionsGvr,
    namespace: 'default',
    name: revision?.metadata.name ?? '',
  };
  await assert.rejects(controlPlane.scheduler.delete({ ...ref, cluster: 'root:cells' }), (error) =>
    isApiError(error),
  );
  await controlPlane.admin.delete(web);
  await until('what it was goes with it', async () => (await controlPlane.find(ref)) === undefined);
  await progressIs('');
});

test('a policy above projects tells how far its objects in all of them are, without naming any', async () => {
  await using w = await world();
  const { controlPlane } = w;
  const other = await controlPlane.project('other');
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  await using _scheduler = await startScheduler(controlPlane);
  const rollout = {
    waves: [
      { name: 'canary', clusterAffinity: { clusterNames: ['ams'] } },
      { name: 'all', approval: true },
    ],
  };
  const name = 'common';
  await controlPlane.create(
    'root',
    'clusterpropagationpolicies',
    clusterPolicy(name, [['apps/v1', 'Deployment']], { rollout }),
  );
  const progressIs = (text: string) =>
    until(`the policy tells ${text}`, async () => {
      const ref = { cluster: 'root', gvr: gvrOf(policies, 'clusterpropagationpolicies'), name };
      const { status } = (await controlPlane.admin.get(ref)) as PropagationPolicy;
      return progressText(status?.rollout) === text ? status?.rollout : undefined;
    });
  for (const project of [w.project, other])
    await controlPlane.create(project, 'deployments', deployment('web', 1));
  const done = await progressIs('Complete 2/2');
  assert.equal(done?.objects, 2);
  const web = { cluster: other, gvr, namespace: 'default', name: 'web' };
  await controlPlane.admin.patch(web, { type: 'merge', body: withImage('app:2') });
  const waiting = await progressIs('AwaitingApproval 1/2');
  assert.equal(waiting?.awaitingApproval, 1);
  assert.equal(waiting?.unfinished, undefined);
});

test('a policy above projects that two schedulers share tells how far the objects of all are', async () => {
  await using w = await world();
  const { controlPlane } = w;
  const projects = await projectsOfBoth(controlPlane, w.project);
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  const rollout = {
    waves: [
      { name: 'canary', clusterAffinity: { clusterNames: ['ams'] } },
      { name: 'all', approval: true },
    ],
  };
  await controlPlane.create(
    'root',
    'clusterpropagationpolicies',
    clusterPolicy('common', [['apps/v1', 'Deployment']], { rollout }),
  );
  const toldIs = (text: string) =>
    until(`the policy tells ${text}`, async () => {
      const ref = { cluster: 'root', gvr: gvrOf(policies, 'clusterpropagationpolicies'), name: 'common' };
      const { status } = (await controlPlane.admin.get(ref)) as PropagationPolicy;
      return progressText(status?.rollout) === text ? status?.rollout : undefined;
    });
  const count = projects.length;
  {
    await using _even = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(0) });
    await using _odd = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(1) });
    for (const project of projects) await controlPlane.create(project, 'deployments', deployment('web', 1));
    const done = await toldIs(`Complete ${count}/${count}`);
    const lanes = new Set(projects.map((project) => String(laneOf(project))));
    assert.deepEqual(Object.keys(done?.parts ?? {}).sort(), [...lanes].sort());
    const last = projects.at(-1) as string;
    const web = { cluster: last, gvr, namespace: 'default', name: 'web' };
    await controlPlane.admin.patch(web, { type: 'merge', body: withImage('app:2') });
    await toldIs(`AwaitingApproval ${count - 1}/${count}`);
  }
  // One that has all of them tells it at once.
  await using _all = await startScheduler(controlPlane);
  await until('without parts', async () => {
    const told = await toldIs(`AwaitingApproval ${count - 1}/${count}`);
    return told !== undefined && told.parts === undefined;
  });
});

/** One of two schedulers that hand all projects to one another. */
class HandedOver implements WorkSharing {
  readonly isDivided = true;
  #listener: SharingListener | undefined;
  #isOurs = false;

  get share(): number {
    return this.#isOurs ? 1 : 0;
  }

  owns = (): boolean => this.#isOurs;

  queue(): KeyQueue {
    return new WorkQueue({ clock: systemClock });
  }

  start(_scope: string, listener: SharingListener): void {
    this.#listener = listener;
  }

  take(): void {
    this.#isOurs = true;
    this.#listener?.gained(() => true);
  }

  lose(): void {
    this.#isOurs = false;
    this.#listener?.lost(() => true);
  }

  async stop(): Promise<void> {}
}

test('a project that comes back to a scheduler is not taken back to what was kept when it went', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  const [first, second] = [new HandedOver(), new HandedOver()];
  await using one = await startScheduler(controlPlane, { sharing: () => first });
  await using _other = await startScheduler(controlPlane, { sharing: () => second });
  const web = { cluster: project, gvr, namespace: 'default', name: 'web' };
  const waves = [{ name: 'canary', clusterAffinity: { clusterNames: ['ams'] } }];
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  const patch = (body: JsonObject) => controlPlane.admin.patch(web, { type: 'merge', body });
  let before = '';
  const completed = async () => {
    const { status } = await bindingWhere(controlPlane, project, 'web', ({ status }) => {
      return status?.rollout?.phase === 'Complete' && status.rollout.target !== before;
    });
    before = status?.rollout?.target ?? '';
  };
  first.take();
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('web', { resourceSelectors, rollout: { waves } }),
  );
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await completed();
  await until('the first comes to rest', () => one.idle);
  first.lose();

  second.take();
  await patch(withImage('app:2'));
  await completed();
  await w.fra.copy('apps/v1', 'deployments', 'web', (copy) => imageOf(copy) === 'app:2');
  second.lose();

  await using inFra = await imagesIn(w, 'fra');
  first.take();
  await patch({ spec: { replicas: 3 } });
  for (const cell of [w.ams, w.fra]) {
    const hasThree = (copy: KubeObject) => (copy['spec'] as JsonObject)['replicas'] === 3;
    await cell.copy('apps/v1', 'deployments', 'web', hasThree);
  }
  assert.deepEqual([...inFra.images], ['app:2']);
});

test('a decision that was written and not answered does not let a change on by what was healthy before', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const web = { cluster: project, gvr, namespace: 'default', name: 'web' };
  const spec = {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
    rollout: { waves: [{ name: 'canary', clusterAffinity: { clusterNames: ['ams'] } }] },
  };
  let lost = 0;
  const update: KubeClient['update'] = async (ref, object, options) => {
    const written = await controlPlane.scheduler.update(ref, object, options);
    const { phase } = (object as ResourceBinding).status?.rollout ?? {};
    if (ref.gvr.resource === 'resourcebindings' && phase === 'Progressing' && lost++ === 0)
      throw new ApiError('ServiceUnavailable', 'the answer was lost');
    return written;
  };
  await using _fra = edge(w.fra);
  await using _scheduler = await startScheduler(controlPlane, { client: withUpdate(controlPlane, update) });
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  {
    await using _ams = edge(w.ams);
    await controlPlane.create(project, 'deployments', deployment('web', 2));
    await bindingWhere(controlPlane, project, 'web', ({ status }) => {
      return status?.rollout?.phase === 'Complete' && status.summary?.healthy === 2;
    });
  }
  // Nobody at the canary's edge says that it is well with the change.
  await controlPlane.admin.patch(web, { type: 'merge', body: withImage('app:2') });
  await w.ams.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  assert.equal(lost > 0, true);
  const { status } = await bindingWhere(controlPlane, project, 'web', () => true);
  assert.equal(status?.rollout?.waveName, 'canary');
  const [behind] = await w.fra.copies('apps/v1', 'deployments');
  assert.equal(imageOf(behind as KubeObject), 'registry.example.com/app:1');
});

test('what was kept without an answer is read before it is kept again', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  let lost = 0;
  const update: KubeClient['update'] = async (ref, object, options) => {
    const written = await controlPlane.scheduler.update(ref, object, options);
    if (ref.gvr.resource === 'templaterevisions' && lost++ === 0)
      throw new ApiError('ServiceUnavailable', 'the answer was lost');
    return written;
  };
  await using _scheduler = await startScheduler(controlPlane, { client: withUpdate(controlPlane, update) });
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  const waves = [{ name: 'canary', clusterAffinity: { clusterNames: ['ams'] } }];
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('web', { resourceSelectors, rollout: { waves } }),
  );
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  const first = await bindingWhere(controlPlane, project, 'web', ({ status }) => {
    return status?.rollout?.phase === 'Complete';
  });
  const web = { cluster: project, gvr, namespace: 'default', name: 'web' };
  await controlPlane.admin.patch(web, { type: 'merge', body: withImage('app:2') });
  await bindingWhere(controlPlane, project, 'web', ({ status }) => {
    return status?.rollout?.phase === 'Complete' && status.rollout.target !== first.status?.rollout?.target;
  });
  assert.equal(lost > 0, true);
});

test('cells are not taken back to what was kept before the policy had no rollout for a while', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  const rollout = { waves: [{ name: 'canary', clusterAffinity: { clusterNames: ['ams'] } }] };
  const staged = policy('web', {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
    rollout,
  });
  const web = { cluster: project, gvr, namespace: 'default', name: 'web' };
  const policyRef = {
    cluster: project,
    gvr: gvrOf(policies, 'propagationpolicies'),
    namespace: 'default',
    name: 'web',
  };
  const isComplete = () =>
    bindingWhere(
      controlPlane,
      project,
      'web',
      ({ status }) => status?.rollout?.phase === 'Complete' && status.rollout.cells === 2,
    );
  const imageIn = (image: string) =>
    Promise.all(
      [w.ams, w.fra].map((cell) =>
        cell.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === `registry.example.com/${image}`),
      ),
    );
  const change = (image: string) =>
    controlPlane.admin.patch(web, { type: 'merge', body: withImage(`registry.example.com/${image}`) });
  await using _scheduler = await startScheduler(controlPlane);
  await controlPlane.create(project, 'propagationpolicies', staged);
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await isComplete();
  await using inFra = await imagesIn(w, 'fra');

  const edit = (body: JsonObject) => controlPlane.admin.patch(policyRef, { type: 'merge', body });
  await edit({ spec: { rollout: null } });
  await change('app:2');
  await imageIn('app:2');
  inFra.images.clear();
  await edit({ spec: { rollout } });
  await isComplete();

  await controlPlane.admin.delete(policyRef);
  for (const cell of [w.ams, w.fra]) await cell.drained('apps/v1', 'deployments');
  await change('app:3');
  await controlPlane.create(project, 'propagationpolicies', staged);
  await imageIn('app:3');
  await isComplete();
  await until('all of it is told', () => inFra.images.has('registry.example.com/app:3'));
  assert.ok(!inFra.images.has('registry.example.com/app:1'));
});
