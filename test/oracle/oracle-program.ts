/** The kube-apiserver that CELLPLANE_TEST_KUBE_APISERVER names; undefined, and said so, where it names none. */
export function oracleProgram(): string | undefined {
  const binary = process.env['CELLPLANE_TEST_KUBE_APISERVER'];
  if (binary !== undefined && binary !== '') return binary;
  console.log('the oracle: set CELLPLANE_TEST_KUBE_APISERVER to a kube-apiserver 1.36 to compare with it');
  return undefined;
}

/** How many cases to draw: what CELLPLANE_ORACLE_COUNT says, or else `otherwise`. */
export function countFrom(otherwise: number): number {
  const given = process.env['CELLPLANE_ORACLE_COUNT'];
  if (given === undefined || given === '') return otherwise;
  if (!/^\d{1,7}$/.test(given)) throw new Error(`CELLPLANE_ORACLE_COUNT=${given}: must be a whole number`);
  return Number(given);
}

/** Which cases to run: those whose name matches CELLPLANE_ORACLE_ONLY, or else all. */
export function onlyNamed<Named extends { readonly name: string }>(
  cases: readonly Named[],
): readonly Named[] {
  const given = process.env['CELLPLANE_ORACLE_ONLY'];
  if (given === undefined || given === '') return cases;
  const pattern = new RegExp(given);
  return cases.filter(({ name }) => pattern.test(name));
}
