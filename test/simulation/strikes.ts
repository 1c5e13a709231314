import { birthStrikes } from './births.ts';
import { endingNames, leavingNames } from './endings.ts';
import { deedNames } from './operators.ts';
import { stagedChange } from './rollout-witness.ts';
import { replacedApplyFault } from './world/call-faults.ts';
import { lies } from './world/lying-client.ts';
import { watchLies } from './world/lying-watch.ts';

/** What is done at random moments, each as often as its weight says. */
export const strikes = {
  kill: 6,
  'kill before a write': 4,
  'kill after a write': 4,
  pause: 4,
  clock: 2,
  partition: 4,
  reset: 4,
  expire: 3,
  stale: 3,
  storm: 4,
  bytes: 4,
  'store refuses': 2,
  'edge backup': 2,
  'edge restore': 2,
  'federation backup': 2,
  'federation restore': 2,
} as const;

export type Strike = keyof typeof strikes;

/** And where there are two schedulers. */
export const pairStrikes = {
  'scheduler killed': 3,
  'scheduler paused': 4,
  'scheduler paused before a write': 8,
} as const;

/** And where one works behind its lease, whether another stands by or not. */
export const leaseStrikes = {
  'scheduler paused past its lease': 2,
  'lease not renewed': 2,
  'lease deleted': 1,
  'lease taken by hand': 1,
  'clock of a scheduler': 1,
} as const;

/** And where several API servers are on one store. */
export const serverStrikes = {
  /** One hears late what the others have written: its cache is stale. */
  'store heard late': 10,
  'server cut off from its store': 4,
  /** What it wrote is done, and it is not told. */
  'answers of the store lost': 3,
  /** What it has not heard yet is compacted: it reads everything anew. */
  'history of the store gone': 6,
  'all servers killed': 2,
  /** As they are upgraded: one after the other stops, and comes back. */
  'servers started anew in turn': 2,
  /** Its controllers are another's by then, and it has not heard of that when it goes on. */
  'server paused past its lease': 3,
} as const;

export type ServerStrike = keyof typeof serverStrikes;
export type PairStrike = keyof typeof pairStrikes;
export type LeaseStrike = keyof typeof leaseStrikes;

/** And where two schedulers share the projects, and edges may lie. */
export const sharedStrikes = {
  'cut off from lanes': 4,
  'lanes forgotten': 2,
  'edge lies': 8,
} as const;

export type SharedStrike = keyof typeof sharedStrikes;

/** Everything that is done, by the names under which it is counted. */
export const strikeNames: readonly string[] = [
  ...Object.keys(strikes),
  ...Object.keys(leaseStrikes),
  ...endingNames,
];

/** What is not ours was made at an edge where a copy is, or was to come. */
export const strangerFault = 'stranger in the way';

/** A workspace was founded over several servers, with all that belongs to it, and taken away again. */
export const founded = 'workspace founded and left';

/** And in wide runs. */
export const wideStrikeNames: readonly string[] = [
  ...deedNames,
  ...birthStrikes,
  ...leavingNames,
  stagedChange,
  replacedApplyFault,
  strangerFault,
];

/** Of runs with two schedulers; that one is paused at any moment is one of `strikes` too, and few seeds may leave it out here. */
const pairStrikeNames = Object.keys(pairStrikes).filter((name) => name !== 'scheduler paused');

/** And where these share the projects. */
export const sharedStrikeNames: readonly string[] = [
  ...pairStrikeNames,
  ...Object.keys(sharedStrikes),
  ...lies,
  ...watchLies,
];

/** And where one of them stands by; what is done to leases by hand is done in other runs too, and few seeds may leave it out here. */
export const standbyStrikeNames: readonly string[] = [
  ...pairStrikeNames,
  ...Object.keys(leaseStrikes).filter((name) => name !== 'lease taken by hand'),
];

/** And where several API servers are on one store. */
export const serverStrikeNames: readonly string[] = [...Object.keys(serverStrikes), founded];
