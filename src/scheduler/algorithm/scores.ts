import { tolerates } from './cell.ts';
import type { ScorePlugin } from './framework.ts';

/** Keeps work where it is (PLACEMENT.md 1: ClusterLocality, 0 or 100). */
const locality: ScorePlugin = {
  name: 'Locality',
  score: (cell, { held }) => (held.has(cell.name) ? 100 : 0),
};

/** Fewer untolerated PreferNoSchedule taints are better; less than locality weighs. */
const softTaints: ScorePlugin = {
  name: 'SoftTaints',
  score(cell, { placement }) {
    let intolerable = 0;
    for (const taint of cell.taints) {
      if (taint.effect !== 'PreferNoSchedule') continue;
      if (!placement.tolerations.some((toleration) => tolerates(toleration, taint))) intolerable++;
    }
    return Math.max(0, 50 - intolerable * 10);
  },
};

export const scorePlugins: readonly ScorePlugin[] = [locality, softTaints];
