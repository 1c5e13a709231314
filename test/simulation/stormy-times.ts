import type { ProjectPlane } from '../chaos/compare.ts';
import { runLoad, settle } from '../chaos/load.ts';
import { runPolicies } from '../chaos/policies.ts';
import { watchProjects } from '../chaos/watch-projects.ts';
import { until } from '../harness/until.ts';
import { cellNames, looseNamespaces } from './cast.ts';
import type { Scene } from './scene.ts';
import { replacedApplyFault, replacedFault } from './world/call-faults.ts';
import type { SimulatedNetwork } from './world/network.ts';

/** Of the federation's deletions at edges. */
const replacedRate = 0.1;
/** Of its applies there, in wide runs. */
const replacedApplyRate = 0.02;
/** By then none of that is under way any more, where nothing is struck. */
const replacedMsMax = 5_000;

/** Load and faults at the same time; afterwards nothing is struck any more. */
export async function stormyTimes(scene: Scene, stormyMs: number): Promise<void> {
  const { world, plan, striker, ledger, projects, pinned, meddlers, operators, births, neighbour } = scene;
  const { registers, founders } = scene;
  const { random, more } = plan;
  const stopping = new AbortController();
  const { signal } = stopping;
  const watches = watchProjects(projects, ledger);
  const running = [
    ...projects.flatMap(({ client, objects, policies }) => [
      runLoad(
        client,
        objects.filter((object) => !pinned.has(object)),
        random.fork(),
        signal,
        200,
      ),
      runPolicies(policies.slice(0, looseNamespaces.length), cellNames, random.fork(), signal),
    ]),
    ...[...meddlers.values()].map((meddler) => meddler.run(random.fork(), signal)),
    operators?.run(signal),
    births?.run((more ?? random).fork(), signal),
    neighbour?.run((more ?? random).fork(), signal),
    registers?.run(signal),
    founders?.run(signal),
  ];
  world.network.beforeWrite = replaceBeforeWrite(scene);
  await striker.run(stormyMs);
  world.network.beforeWrite = undefined;
  stopping.abort();
  await Promise.all(running);
  await operators?.mend();
  await knowAll(projects);
  await neighbour?.know();
  await watches.stop();
  await world.time.sleep(replacedMsMax);
  for (const [cell, edge] of world.edges) {
    const meddler = meddlers.get(cell);
    const touched = (await meddler?.takeReplacementsAway(world.lookAt(edge))) ?? [];
    scene.violations.push(...(meddler?.unexpected ?? []));
    scene.violations.push(...touched.map((what) => `${cell}: ${what}`));
  }
}

/** What the projects hold, where an outcome was not told or a restore has made it uncertain. */
export async function knowAll(projects: readonly ProjectPlane[]): Promise<void> {
  const never = new AbortController().signal;
  for (const { objects, policies } of projects) {
    for (const { tracked } of objects) await settle(tracked, never);
    for (const { tracked } of policies) {
      await until(`${tracked.what} is known`, () => tracked.isCertain || tracked.resolve(), {
        timeoutMs: 60_000,
      });
    }
  }
}

/** Just when the federation deletes or applies at an edge, someone there may have made something else of that name. */
function replaceBeforeWrite({ world, plan, meddlers }: Scene): SimulatedNetwork['beforeWrite'] {
  const random = plan.random.fork();
  const more = plan.more?.fork();
  return async (verb, server, ref) => {
    const meddler = meddlers.get(server);
    if (meddler === undefined || (verb === 'apply' && more === undefined)) return;
    const isReplaced =
      verb === 'delete' ? random.next() < replacedRate : (more?.next() ?? 1) < replacedApplyRate;
    if (!isReplaced) return;
    const edge = world.edge(server);
    const whose = more === undefined || more.next() < 0.5 ? 'own' : 'elsewhere';
    if (!edge.isUp || !(await meddler.replace(ref, world.lookAt(edge), whose))) return;
    world.network.countFault(verb === 'delete' ? replacedFault : replacedApplyFault);
  };
}
