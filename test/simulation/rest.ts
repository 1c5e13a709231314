import { revisions } from '../chaos/compare.ts';
import { planesOf } from './planes.ts';
import type { Scene } from './scene.ts';

/** Longer than what was contested is still told of. */
const calmMs = 180_000;
const steadyMs = 120_000;
/** Leases, probes and reports of two federators with three cells and their servers; the schedulers' leases are beside them. */
const steadyRequestsMax = 600;

/** Then nobody writes any more, and little is asked. */
export async function rest(scene: Scene): Promise<void> {
  const { world, operators, violations } = scene;
  const { time } = world;
  if (violations.length > 0) return;
  await time.sleep(calmMs);
  // Whoever has still not read the newest credentials is refused now, and that would be told.
  operators?.revokeFormer();
  const { refusals } = world.network;
  const { projects, cells } = planesOf(scene);
  const before = await revisions(projects, cells);
  const leaseRequestsMax = world.leases?.requestsMax(world.schedulers.length, steadyMs) ?? 0;
  const requestsMax = (steadyRequestsMax + leaseRequestsMax) * world.federations.length;
  world.network.requests = {};
  await time.sleep(steadyMs);
  const requests = Object.values(world.network.requests).reduce((sum, count) => sum + count, 0);
  if (requests > requestsMax) {
    violations.push(
      `${requests} requests in ${steadyMs} ms of rest: ${JSON.stringify(world.network.requests)}`,
    );
  }
  if (world.network.refusals > refusals) {
    violations.push(
      `credentials that were changed long ago were refused ${world.network.refusals - refusals} times`,
    );
  }
  const [old, now] = [before, await revisions(projects, cells)].map((text) => new Set(text.split('\n')));
  const changes = [
    ...[...(old ?? [])].filter((line) => now?.has(line) === false).map((line) => `- ${line}`),
    ...[...(now ?? [])].filter((line) => old?.has(line) === false).map((line) => `+ ${line}`),
  ];
  if (changes.length > 0) violations.push('somebody writes although all agree:', ...changes);
}
