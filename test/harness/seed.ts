/** The seed that the environment variable sets, or else this one: tests print it, so that a run can be repeated. */
export function seedFrom(variable: string, otherwise = seedOfNow()): number {
  const given = process.env[variable];
  if (given === undefined || given === '') return otherwise;
  if (!/^\d{1,10}$/.test(given)) throw new Error(`${variable}=${given}: must be a whole number`);
  return Number(given);
}

/** Another one every millisecond. */
export function seedOfNow(): number {
  return Date.now() % 2 ** 31;
}
