/** Arcs and atoms that all searches may look at while cells are chosen, or replicas are divided: 0.3 µs each. */
const workMax = 400_000;

/** What may still be looked at: bounds what a decision costs, however many searches it makes. */
export interface LevelBudget {
  left: number;
}

export function levelBudget(): LevelBudget {
  return { left: workMax };
}
