import type { WeightedScore } from '#api/policy/scheduling-profile.ts';
import { type CellInfo, tolerates } from './cell.ts';
import { dataLabelPrefix } from './compile.ts';
import type { MeasurePlugin, ScoreContext, ScorePlugin } from './score-plugin.ts';

/** Keeps work where it is (PLACEMENT.md 1: ClusterLocality, 0 or 100). */
const stickiness: ScorePlugin = {
  name: 'Stickiness',
  score: (cell, { held }) => (held.has(cell.name) ? 100 : 0),
};

/** Fewer untolerated PreferNoSchedule taints are better; less than stickiness weighs. */
const softTaints: ScorePlugin = {
  name: 'SoftTaints',
  score: (cell, context) => Math.max(0, 50 - untoleratedSoftTaints(cell, context) * 10),
};

function untoleratedSoftTaints(cell: CellInfo, { placement }: ScoreContext): number {
  let intolerable = 0;
  for (const taint of cell.taints) {
    if (taint.effect !== 'PreferNoSchedule') continue;
    if (!placement.tolerations.some((toleration) => tolerates(toleration, taint))) intolerable++;
  }
  return intolerable;
}

/** Without a profile. */
export const scorePlugins: readonly ScorePlugin[] = [stickiness, softTaints];

const earthRadiusKm = 6_371;

/** Great-circle distance by the haversine formula. */
export function distanceKm(
  a: { readonly latitude: number; readonly longitude: number },
  b: { readonly latitude: number; readonly longitude: number },
): number {
  const radians = Math.PI / 180;
  const latitudes = ((b.latitude - a.latitude) * radians) / 2;
  const longitudes = ((b.longitude - a.longitude) * radians) / 2;
  const half =
    Math.sin(latitudes) ** 2 +
    Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * Math.sin(longitudes) ** 2;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(half)));
}

const measures: { readonly [name in Exclude<WeightedScore['name'], 'Named'>]: Omit<MeasurePlugin, 'name'> } =
  {
    Stickiness: { lowerIsBetter: false, measure: ({ held }) => Number(held) },
    SoftTaints: { lowerIsBetter: true, measure: ({ cell }, context) => untoleratedSoftTaints(cell, context) },
    /** Replicas that still fit. */
    Room: { lowerIsBetter: false, measure: ({ available }) => available },
    /** Other objects that are placed there already. */
    Balance: { lowerIsBetter: true, measure: ({ cell }, { input }) => input.loadOf?.(cell.name) },
    Cost: { lowerIsBetter: true, measure: ({ cell }) => cell.cost },
    /** Of the last probe by the cell's federator. */
    Latency: { lowerIsBetter: true, measure: ({ cell }) => cell.latencyMs },
    Distance: {
      lowerIsBetter: true,
      measure: ({ cell: { location } }, { placement: { near } }) =>
        near === undefined || location === undefined ? undefined : distanceKm(near, location),
    },
    DataLocality: {
      lowerIsBetter: false,
      measure: ({ cell }, { placement: { data } }) => {
        let held = 0;
        for (const name of data) if (Object.hasOwn(cell.labels, `${dataLabelPrefix}${name}`)) held++;
        return data.length === 0 ? undefined : held;
      },
    },
  };

export function measureOf(name: WeightedScore['name'], score = ''): MeasurePlugin {
  if (name !== 'Named') return { name, ...measures[name] };
  return {
    name: score,
    lowerIsBetter: false,
    measure: ({ cell }, { input }) => {
      const told = cell.scores?.get(score);
      return told === undefined || told.validUntilMs <= input.nowMs ? undefined : told.value;
    },
  };
}
