// Preloaded into every test process of `npm test`: property tests then draw the same values in every run, so that a run
// says something about the change at hand. `CELLPLANE_PROPERTY_SEED=<number>` sets another seed, `random` a new one each
// time; a test file started by itself always draws anew.
import fc from 'fast-check';

const defaultSeed = 20_251_121;

const given = process.env['CELLPLANE_PROPERTY_SEED'] ?? '';
if (given !== 'random') {
  if (!/^(-?\d{1,10})?$/.test(given)) {
    throw new Error(`CELLPLANE_PROPERTY_SEED=${given}: must be a whole number or "random"`);
  }
  fc.configureGlobal({ seed: given === '' ? defaultSeed : Number(given) });
}
