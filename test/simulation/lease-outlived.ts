import type { Random } from '../harness/random.ts';
import { jumpMsMax } from './hand.ts';
import { leaseLine, type SchedulerLeases } from './world/leases.ts';
import type { World } from './world/world.ts';

export interface OutlivingOptions {
  readonly world: World;
  readonly leases: SchedulerLeases;
  readonly random: Random;
  /** What keeps who leads from renewing. */
  readonly how: 'pause' | 'cut';
  /** Changes every object that may be changed. */
  readonly change: () => Promise<void>;
}

const afterShareMax = 0.5;
const jumpChance = 0.5;

/**
 * Whoever leads, or every scheduler there is, does not renew its lease until that is over; objects change before that, and after it.
 * Nobody touches them again: whoever leads then has to see to all of it.
 */
export async function outliveLease({ world, leases, random, how, change }: OutlivingOptions): Promise<void> {
  const { network, time, federation, schedulers } = world;
  const leaders = leases.leadersAt(federation);
  const struck = random.next() < 0.5 || leaders.length === 0 ? schedulers : leaders;
  const processes = struck.flatMap((name) => world.part(name).process ?? []);
  // A clock that is set says nothing of how much time has passed.
  for (const process of processes) {
    if (random.next() < jumpChance) process.jump(Math.round((random.next() - 0.5) * 2 * jumpMsMax));
  }
  for (const process of processes) {
    if (how === 'pause') process.pause();
    else for (const { name } of world.federations) network.cut(leaseLine(process.name), name);
  }
  if (random.next() < 0.5) await change();
  await time.sleep(leases.durationMs);
  await change();
  await time.sleep(random.next() * afterShareMax * leases.durationMs);
  for (const process of processes) {
    if (how === 'pause') process.wake();
    else for (const { name } of world.federations) network.heal(leaseLine(process.name), name);
  }
}
