import { onlyNamed } from './oracle-program.ts';

/** Runs the cases whose names CELLPLANE_ORACLE_ONLY matches, some of them beside one another. */
export async function casesAtATime<Named extends { readonly name: string }>(
  count: number,
  cases: readonly Named[],
  run: (one: Named) => Promise<void>,
): Promise<void> {
  const left = onlyNamed(cases).values();
  const worker = async () => {
    for (const one of left) await run(one);
  };
  await Promise.all(Array.from({ length: count }, worker));
}
