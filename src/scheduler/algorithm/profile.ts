import type { Reschedule } from '#api/policy/reschedule.ts';
import type { SchedulingProfile } from '#api/policy/scheduling-profile.ts';
import type { Candidate } from './candidate.ts';
import type { MeasurePlugin, ScoreContext } from './score-plugin.ts';
import { measureOf, scorePlugins } from './scores.ts';

/** A SchedulingProfile made ready for many decisions. */
export interface CompiledProfile {
  readonly disabledFilters: ReadonlySet<string>;
  /** Undefined: the default scores, which look at each cell for itself. */
  readonly measures: readonly { readonly plugin: MeasurePlugin; readonly weight: number }[] | undefined;
  /** For policies that do not say it themselves. */
  readonly reschedule?: Reschedule | undefined;
}

export function compileProfile({ spec = {} }: SchedulingProfile): CompiledProfile {
  return {
    disabledFilters: new Set(spec.disabledFilters ?? []),
    measures: spec.scores
      ?.filter(({ weight }) => weight !== 0)
      .map((score) => ({ plugin: measureOf(score.name, score.score), weight: score.weight })),
    reschedule: spec.reschedule,
  };
}

/**
 * Gives every candidate its score: without a profile the sum of the default scores, else the mean of what the profile names,
 * weighed, from -100 to 100. What cells tell is compared among the candidates: the best of them gets 100, the worst 0, one
 * that does not tell 50.
 */
export function scoreCandidates(
  candidates: readonly Candidate[],
  context: ScoreContext,
  profile: CompiledProfile | undefined,
): void {
  const measures = profile?.measures;
  if (measures === undefined) {
    for (const candidate of candidates) {
      let score = 0;
      for (const plugin of scorePlugins) score += plugin.score(candidate.cell, context);
      candidate.score = score;
    }
    return;
  }
  const weights = measures.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
  const sums = new Float64Array(candidates.length);
  for (const { plugin, weight } of measures) {
    const points = measuredPoints(plugin, candidates, context);
    for (let i = 0; i < candidates.length; i++)
      sums[i] = (sums[i] as number) + weight * (points[i] as number);
  }
  candidates.forEach((candidate, i) => {
    candidate.score = weights === 0 ? 0 : (sums[i] as number) / weights;
  });
}

/** Of some of the candidates, their points by score, to a tenth: what `scoreCandidates` makes their score of. */
export function pointsOf(
  some: readonly Candidate[],
  candidates: readonly Candidate[],
  context: ScoreContext,
  profile: CompiledProfile | undefined,
): Map<string, Map<string, number>> {
  const told = new Map(some.map(({ cell }) => [cell.name, new Map<string, number>()]));
  const note = (cell: string, score: string, points: number) =>
    told.get(cell)?.set(score, Math.round(points * 10) / 10);
  const measures = profile?.measures;
  if (measures === undefined) {
    for (const { cell } of some)
      for (const plugin of scorePlugins) note(cell.name, plugin.name, plugin.score(cell, context));
    return told;
  }
  for (const { plugin } of measures) {
    const points = measuredPoints(plugin, candidates, context);
    candidates.forEach(({ cell }, i) => {
      note(cell.name, plugin.name, points[i] as number);
    });
  }
  return told;
}

function measuredPoints(
  plugin: MeasurePlugin,
  candidates: readonly Candidate[],
  context: ScoreContext,
): Float64Array {
  const values = candidates.map((candidate) => plugin.measure(candidate, context));
  return spreadOut(values, plugin.lowerIsBetter);
}

const unknownPoints = 50;

function spreadOut(values: readonly (number | undefined)[], lowerIsBetter: boolean): Float64Array {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === undefined) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const points = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) points[i] = unknownPoints;
    else if (most === least) points[i] = 100;
    else points[i] = (100 * (lowerIsBetter ? most - value : value - least)) / (most - least);
  }
  return points;
}
