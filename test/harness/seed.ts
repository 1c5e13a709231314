/** The same in every run unless something else is asked for, so that a run says something about the change at hand. */
const defaultSeed = 20_251_121;

/**
 * The seed that the environment variable sets (`random`: one of the moment), or else `otherwise`: tests print it, so that a
 * run can be repeated.
 */
export function seedFrom(variable: string, otherwise = defaultSeed): number {
  const given = process.env[variable];
  if (given === undefined || given === '') return otherwise;
  if (given === 'random') return seedOfNow();
  if (!/^\d{1,10}$/.test(given))
    throw new Error(`${variable}=${given}: must be a whole number, or "random" for one of the moment`);
  return Number(given);
}

/** Another one every millisecond. */
export function seedOfNow(): number {
  return Date.now() % 2 ** 31;
}
