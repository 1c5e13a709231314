import type { PolicyTraits } from '../chaos/policies.ts';
import { Random } from '../harness/random.ts';
import { cellNames } from './cast.ts';
import type { Schedulers } from './world/world.ts';

/**
 * Runs with these seeds have operators, rollouts, failover, and what is born at edges as well; those with lower ones, which CI
 * replays, are what they were before there was any of it.
 */
const wideFrom = 1_000;
/** Those of these are over sooner, so that more of them can be run: many worlds, each for a while. */
const briefFrom = 10_000;
const brieflyMsMax = 8_000;
/** Of these brief ones, each has two schedulers: that share the projects, and edges that lie; then one that stands by. */
const lanesFrom = 20_000;
const standbyFrom = 25_000;
/** Then each has several API servers on one store, and schedulers as chance says. */
const serversFrom = 30_000;
/** Of those above, some have any of that. */
const eitherFrom = 35_000;
const lanesShare = 0.2;
const standbyShare = 0.15;
const schedulersChance = 0x2ed;
const serversShare = 0.15;
const thirdServerShare = 0.25;
const serversChance = 0x5e7;
const moreChance = 0x5eed;
const stormyMsMin = 4_000;
const stormyMsMax = 20_000;
/** Most of the runs bring nothing back. */
const birthsShare = 0.35;
/** Some have a second control plane. */
const neighbourShare = 0.25;

/** What a seed decides before anything happens. */
export interface RunPlan {
  readonly random: Random;
  /** Of what only wide runs have; undefined in others. */
  readonly more: Random | undefined;
  readonly schedulers: Schedulers;
  /** Of the first control plane. */
  readonly servers: number;
  readonly traits: PolicyTraits;
  readonly hasBirths: boolean;
  readonly hasNeighbour: boolean;
  /** How long faults and load last. */
  readonly stormyMs: number;
}

export function planOf(seed: number): RunPlan {
  const random = new Random(seed);
  const more = seed < wideFrom ? undefined : new Random(seed ^ moreChance);
  return {
    random,
    more,
    schedulers: schedulersOf(seed),
    servers: serversOf(seed),
    traits: more === undefined ? {} : drawTraits(more.fork()),
    hasBirths: more !== undefined && more.next() < birthsShare,
    hasNeighbour: more !== undefined && more.next() < neighbourShare,
    stormyMs: random.between(stormyMsMin, seed < briefFrom ? stormyMsMax : brieflyMsMax),
  };
}

function schedulersOf(seed: number): Schedulers {
  if (seed < lanesFrom) return 'alone';
  if (seed < standbyFrom) return 'lanes';
  if (seed < serversFrom) return 'standby';
  const alone = 1 - lanesShare - standbyShare;
  return new Random(seed ^ schedulersChance).weighted({ alone, standby: standbyShare, lanes: lanesShare });
}

function serversOf(seed: number): number {
  if (seed < serversFrom) return 1;
  const random = new Random(seed ^ serversChance);
  if (seed >= eitherFrom && random.next() >= serversShare) return 1;
  return random.next() < thirdServerShare ? 3 : 2;
}

/** Half of the runs have policies that say where objects go, and nothing else. */
function drawTraits(random: Random): PolicyTraits {
  const rollout = {
    waves: [
      { name: 'first', clusterAffinity: { clusterNames: [cellNames[0]] } },
      {
        name: 'second',
        clusterAffinity: { clusterNames: [cellNames[1]] },
        pauseSeconds: random.between(0, 3),
      },
    ],
    healthTimeoutSeconds: random.between(5, 30),
    onFailure: 'Pause',
  };
  const failover = {
    application: {
      decisionConditions: { tolerationSeconds: random.between(2, 10) },
      gracePeriodSeconds: random.between(5, 30),
      purgeMode: random.pick(['Graciously', 'Directly']),
    },
  };
  switch (random.weighted({ neither: 2, rollout: 1, failover: 1, both: 1 })) {
    case 'rollout':
      return { rollout };
    case 'failover':
      return { failover };
    case 'both':
      return { rollout, failover };
    default:
      return {};
  }
}
