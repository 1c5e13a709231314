import { noOverload, type Value } from '../values.ts';
import { addAddresses } from './addresses.ts';
import { addListExtension } from './list-extension.ts';
import { addLists, addSets } from './lists.ts';
import { addNamedFormats } from './named-formats.ts';
import { addOperators } from './operators.ts';
import { addOptionals } from './optionals.ts';
import { addQuantities } from './quantities.ts';
import { addRegex } from './regex.ts';
import { dispatch, FunctionTable } from './registry.ts';
import { addSemver } from './semver.ts';
import { addStandard } from './standard.ts';
import { addStrings } from './strings.ts';
import { addUrls } from './urls.ts';

/** All that Kubernetes 1.36 offers to every expression (apiserver/pkg/cel/environment/base.go). */
export const kubernetesFunctions: FunctionTable = makeFunctions();

function makeFunctions(): FunctionTable {
  const table = new FunctionTable();
  addOperators(table);
  addStandard(table);
  addStrings(table);
  const additions = table.get('_+_') ?? [];
  addLists(table, (a: Value, b: Value) => {
    const overload = dispatch(additions, [a, b]);
    return overload === undefined ? noOverload : overload.call([a, b]);
  });
  addListExtension(table);
  addSets(table);
  addOptionals(table);
  addRegex(table);
  addUrls(table);
  addQuantities(table);
  addAddresses(table);
  addNamedFormats(table);
  addSemver(table);
  return table;
}
