/** What a suite holds and has to give back; undefined where it never came to be. */
type Held = AsyncDisposable | (() => unknown) | undefined;

/**
 * Gives everything back, one after the other, whatever becomes of the one before: what stays open keeps the test process
 * from its end. Throws the first error then.
 */
export async function disposeAll(...all: readonly Held[]): Promise<void> {
  const errors: unknown[] = [];
  for (const one of all) {
    try {
      await (typeof one === 'function' ? one() : one?.[Symbol.asyncDispose]());
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
