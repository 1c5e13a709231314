import { seedFrom } from '../harness/seed.ts';

export interface Budget {
  /** What all chance of the suite comes from. */
  readonly seed: number;
  /** How long to go on, in milliseconds. */
  readonly durationMs: number;
  /** Run by hand for minutes, not as one of all tests. */
  readonly isLong: boolean;
}

/**
 * How long a test of faults runs and from which seed: `CELLPLANE_FAULTS_SEED`, and `CELLPLANE_FAULTS_MINUTES` for each
 * file of tests (`npm run faults -- --minutes 30 --seed 7`). `share` is this test's part of those minutes; without them
 * it runs `shortMs`.
 */
export function budgetOf(shortMs: number, share: number): Budget {
  const seed = seedFrom('CELLPLANE_FAULTS_SEED');
  const minutes = process.env['CELLPLANE_FAULTS_MINUTES'];
  if (minutes === undefined || minutes === '') return { seed, durationMs: shortMs, isLong: false };
  if (!/^\d{1,4}(\.\d+)?$/.test(minutes)) {
    throw new Error(`CELLPLANE_FAULTS_MINUTES=${minutes}: must be a number of minutes`);
  }
  return { seed, durationMs: Number(minutes) * 60_000 * share, isLong: true };
}

/** Beyond the time, for what the rounds are to have met; a machine that is busy with other things may do one in all of it. */
const moreRoundsMax = 30;

/**
 * Runs `round` again and again, each time with a seed of its own, until the time is over; at least once, and for some
 * rounds more while `isEnough` says that they have not met what they are about. What it throws names the seed that repeats
 * it as the first round. Returns how many there were.
 */
export async function repeat(
  budget: Budget,
  round: (seed: number) => Promise<void>,
  isEnough: () => boolean = () => true,
): Promise<number> {
  const endMs = performance.now() + budget.durationMs;
  let more = 0;
  let rounds = 0;
  do {
    const seed = (budget.seed + rounds) % 2 ** 31;
    try {
      await round(seed);
    } catch (error) {
      throw new Error(
        `round ${rounds}; to repeat it: CELLPLANE_FAULTS_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
    rounds++;
  } while (performance.now() < endMs || (!isEnough() && more++ < moreRoundsMax));
  return rounds;
}
