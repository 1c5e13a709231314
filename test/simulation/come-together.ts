import type { Agreement } from './agreement.ts';
import { finally2to1to1, looseNamespaces } from './cast.ts';
import { doEnding } from './endings.ts';
import { putBack, restored } from './restored.ts';
import type { Scene } from './scene.ts';
import { knowAll } from './stormy-times.ts';

/** Everything is brought together, then one more thing is done to it, and it comes together again. */
export async function comeTogether(scene: Scene, agreement: Agreement): Promise<void> {
  const {
    world,
    plan,
    striker,
    witnesses,
    projects,
    meddlers,
    pinned,
    mayGo,
    violations,
    births,
    neighbour,
  } = scene;
  for (const { client, objects, policies } of projects) {
    for (const policy of policies) await policy.set(finally2to1to1);
    for (const { kind, ref, tracked } of objects) {
      const { state } = tracked;
      if (!kind.scalable || state === undefined || state.replicas > 0) continue;
      await tracked.write({ ...state, replicas: 5 }, () =>
        client.patch(ref, { type: 'merge', body: { spec: { replicas: 5 } } }),
      );
    }
  }
  await agreement.reach(plan.more === undefined ? [] : [...looseNamespaces]);
  await agreement.statuses.write(1);
  await agreement.reach();
  const ending = await doEnding({
    world,
    random: plan.random.fork(),
    projects,
    pinned,
    agree: () => agreement.reach(),
    writeStatuses: (share) => agreement.statuses.write(share),
    differences: () => agreement.differences(),
    isWide: plan.more !== undefined,
    neighbour,
    firstDifferences: () => agreement.firstDifferences(),
    isStaged: (namespace) => agreement.tended.includes(namespace),
    mayGo: (cell, may) => {
      if (may) mayGo.add(cell);
      else mayGo.delete(cell);
    },
    rejoined: () => witnesses.rejoined(),
    violation: (what) => violations.push(what),
    putBack: (cell, backup) => witnesses.putBack(cell, backup),
    restored: async ({ name }) => {
      putBack(scene, name);
      await restored(scene, name);
      await knowAll(projects);
    },
  });
  striker.ended(ending);
  await agreement.reach();
  violations.push(...((await births?.ownTouched()) ?? []));
  for (const [cell, edge] of world.edges) {
    const touched = (await meddlers.get(cell)?.foreignTouched(world.lookAt(edge))) ?? [];
    violations.push(...touched.map((what) => `${cell}: ${what}`));
  }
}
