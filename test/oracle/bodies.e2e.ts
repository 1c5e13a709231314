import { damagedBodies, nestedBodies } from './bodies.ts';
import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { runCases } from './run-cases.ts';

describeBeside('bodies as kube-apiserver reads them', {
  tests: {
    'damaged in random places, and nested': ({ pair, random, report }) =>
      runCases(pair, [...nestedBodies(), ...damagedBodies(random, countFrom(1000))], report),
  },
});
