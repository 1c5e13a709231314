/** The seed that the environment variable sets, or one of this moment: tests print it, so that a run can be repeated. */
export function seedFrom(variable: string): number {
  const given = process.env[variable];
  if (given === undefined || given === '') return Date.now() % 2 ** 31;
  if (!/^\d{1,10}$/.test(given)) throw new Error(`${variable}=${given}: must be a whole number`);
  return Number(given);
}
