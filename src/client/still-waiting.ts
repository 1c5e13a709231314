/**
 * Thrown where work on a key cannot go on before something else has happened, as is to be expected: the key is looked at again as
 * after a failure, and nobody is told that something failed.
 */
export class StillWaiting extends Error {
  override readonly name = 'StillWaiting';
}
