/**
 * Renders the conformance tests of the CEL specification into the compact form that the unit tests read.
 *
 *   node --import tsx scripts/render-cel-vectors.ts node_modules/@bufbuild/cel-spec
 *
 * The tests come from github.com/google/cel-spec (Apache-2.0) as the package @bufbuild/cel-spec carries them. Tests about
 * protocol buffer messages, which expressions in Kubernetes cannot name, and about extensions that Kubernetes does not
 * offer are left out.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

interface Original {
  readonly name?: string;
  readonly expr: string;
  readonly [key: string]: unknown;
}

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Original }[];
}

const target = 'src/apimachinery/cel/testing/conformance-vectors.json';
const filesWithoutMeaning = new Set([
  'block_ext',
  'dynamic',
  'encoders_ext',
  'enums',
  'math_ext',
  'proto2',
  'proto2_ext',
  'proto3',
  'unknowns',
  'wrappers',
]);
const messages =
  /TestAllTypes|NestedTestAllTypes|google\.protobuf\.(?!Timestamp|Duration)|objectValue|messageType|wrapper|enumValue|cel\.expr\.conformance\.proto|wellKnown":"ANY/;

const root = process.argv[2];
if (root === undefined) throw new Error('usage: render-cel-vectors.ts <path of @bufbuild/cel-spec>');
const path = resolve(root, 'dist/esm/testdata/conformance.js');
const { tests } = (await import(pathToFileURL(path).href)) as { tests: Suite };

const lines: string[] = [];
let left = 0;
for (const file of tests.suites ?? []) {
  for (const section of file.suites ?? []) {
    for (const { original } of section.tests ?? []) {
      const { description: _, name, expr, ...rest } = original;
      const text = JSON.stringify([`${file.name}/${section.name}/${name ?? expr}`, expr, rest]);
      if (filesWithoutMeaning.has(file.name) || messages.test(text)) left++;
      else lines.push(text);
    }
  }
}
const origin = 'github.com/google/cel-spec, tests/simple/testdata, Apache-2.0';
writeFileSync(target, `{"origin":${JSON.stringify(origin)},"tests":[\n${lines.join(',\n')}\n]}\n`);
process.stdout.write(`${lines.length} tests to ${target}, ${left} left out\n`);
