/**
 * Writes src/api/builtin/catalogue/: the facts about Kubernetes' built-in API that this project carries, in a compact
 * form. Run by hand (`npm run generate`) when the Kubernetes release that the project follows changes; the input is not
 * needed to build or run.
 *
 * Input (directory as first argument, default ../shared/facts; see its README for the forms):
 * - kubernetes-<release>-types.json: OpenAPI definitions;
 * - kubernetes-<release>-resources.json: resources, verbs, subresources;
 * - kubernetes-<release>-protobuf.json: message names, field numbers and types;
 * and scripts/kubernetes-go-fields.json, what only the public Go types (modules k8s.io/api, apimachinery,
 * apiextensions-apiserver, kube-aggregator, v0.36.0) tell, read from their struct tags:
 * - omittedWhenZero: per protobuf message, the scalar fields that Go's JSON encoder leaves out when they are zero
 *   (`omitempty` and no pointer);
 * - pointers: per protobuf message, the fields that are pointers: only these are left out of the wire when unset, all
 *   others are written with their zero value;
 * - jsonNames: protobuf fields whose JSON name differs, '' when their message is inlined into the parent;
 * - requiredPointers: required fields that are pointers: only these can be found missing by a Go server, others are
 *   decoded as their zero value;
 * - jsonOmitted: per definition, the optional fields that Go's JSON encoder leaves out when they are zero or empty
 *   (`omitempty` and neither pointer nor struct);
 * - jsonPrinted: per definition, the optional fields that it prints even so (structs, and what lacks `omitempty`);
 * - typeNames: per definition, the fields whose Go type has another name than OpenAPI tells (`types.UID`);
 * - embedded: per definition, the fields of structs that are embedded in it, by where (`RuleWithOperations.Rule`);
 * - emptyObjects: per definition that an empty object of a kind holds by value, the fields that are printed of it, structs apart.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const release = '1.36';

interface Fact {
  type?: string;
  format?: string;
  ref?: string;
  items?: Fact;
  additionalProperties?: Fact;
  properties?: { [field: string]: Fact };
  required?: string[];
  gvk?: [string, string, string][];
  unions?: unknown;
  'list-type'?: string;
  'list-map-keys'?: string[];
  'map-type'?: string;
  'patch-strategy'?: string;
  'patch-merge-key'?: string;
}

interface ResourceFact {
  group: string;
  version: string;
  resource: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
  subresources: { [name: string]: { kind: string; verbs: string[] } };
}

interface GoFacts {
  omittedWhenZero: { [message: string]: string[] };
  pointers: { [message: string]: string[] };
  jsonNames: { [message: string]: { [field: string]: string } };
  requiredPointers: { [definition: string]: string[] };
  jsonOmitted: { [definition: string]: string[] };
  jsonPrinted: { [definition: string]: string[] };
  typeNames: { [definition: string]: { [field: string]: string } };
  embedded: { [definition: string]: { [where: string]: string[] } };
  emptyObjects: { [definition: string]: { printed?: string[]; structs?: string[] } };
}

type MessageFact = { [field: string]: [number, string, string] };

/** Fact keys that stand beside a field's type, with their short form in the catalogue. */
const extraKeys = {
  'list-type': 'lt',
  'list-map-keys': 'lk',
  'map-type': 'mt',
  'patch-strategy': 'ps',
  'patch-merge-key': 'pk',
} as const;

/** `{type: array, items: {ref: X}}` → `[]#X`; see TypeExpression in src/api/builtin/catalogue-form.ts. */
function typeExpression(fact: Fact, where: string): string {
  if (fact.ref !== undefined) return `#${fact.ref.replace(/^io\.k8s\./, '')}`;
  if (fact.items !== undefined) return `[]${typeExpression(fact.items, where)}`;
  if (fact.additionalProperties !== undefined) return `{}${typeExpression(fact.additionalProperties, where)}`;
  switch (`${fact.type}/${fact.format ?? ''}`) {
    case 'string/':
      return 'string';
    case 'string/byte':
      return 'bytes';
    case 'integer/int32':
      return 'int32';
    case 'integer/int64':
      return 'int64';
    case 'number/double':
      return 'double';
    case 'boolean/':
      return 'bool';
    case 'object/':
      return 'object';
    default:
      throw new Error(`${where}: no catalogue form for ${JSON.stringify(fact)}`);
  }
}

function fieldEntry(fact: Fact, where: string): string | [string, { [key: string]: unknown }] {
  const expression = typeExpression(fact, where);
  const extras: { [key: string]: unknown } = {};
  for (const [key, short] of Object.entries(extraKeys)) {
    const value = fact[key as keyof typeof extraKeys];
    if (value !== undefined) extras[short] = value;
  }
  const known = new Set([
    ...Object.keys(extraKeys),
    'type',
    'format',
    'ref',
    'items',
    'additionalProperties',
  ]);
  for (const key in fact) if (!known.has(key)) throw new Error(`${where}: unknown fact ${key}`);
  return Object.keys(extras).length === 0 ? expression : [expression, extras];
}

function packageAndName(definition: string): [string, string] {
  const dot = definition.lastIndexOf('.');
  return [definition.slice(0, dot).replace(/^io\.k8s\./, ''), definition.slice(dot + 1)];
}

function compactTypes(
  types: { [definition: string]: Fact },
  go: GoFacts,
): Map<string, { [name: string]: unknown }> {
  const packages = new Map<string, { [name: string]: unknown }>();
  for (const definition of Object.keys(types).sort()) {
    const fact = types[definition]!;
    const [pkg, name] = packageAndName(definition);
    const entry: { [key: string]: unknown } = {};
    if (fact.properties !== undefined) {
      const fields: { [field: string]: unknown } = {};
      for (const [field, one] of Object.entries(fact.properties)) {
        fields[field] = fieldEntry(one, `${definition}.${field}`);
      }
      entry['p'] = fields;
    }
    if (fact.required !== undefined) entry['r'] = fact.required;
    if (go.requiredPointers[definition] !== undefined) entry['rp'] = go.requiredPointers[definition];
    if (go.jsonOmitted[definition] !== undefined) entry['z'] = go.jsonOmitted[definition];
    if (go.jsonPrinted[definition] !== undefined) entry['a'] = go.jsonPrinted[definition];
    if (fact['map-type'] !== undefined) entry['mt'] = fact['map-type'];
    const siblings = packages.get(pkg) ?? {};
    siblings[name] = entry;
    packages.set(pkg, siblings);
  }
  return packages;
}

/** `k8s.io.api.apps.v1` → `api.apps.v1`, `k8s.io.kube_aggregator…` → `kube-aggregator…`: as the types are named. */
function protobufPackage(name: string): string {
  return name.replace(/^k8s\.io\./, '').replaceAll('_', '-');
}

function compactMessages(
  messages: { [name: string]: MessageFact },
  packages: ReadonlySet<string>,
  go: GoFacts,
): Map<string, { [name: string]: unknown }> {
  const compact = new Map<string, { [name: string]: unknown }>();
  const scalars = new Set(['string', 'bool', 'int32', 'int64', 'double', 'bytes']);
  for (const full of Object.keys(messages).sort()) {
    const dot = full.lastIndexOf('.');
    const pkg = protobufPackage(full.slice(0, dot));
    if (!packages.has(pkg)) continue;
    const fullType = (given: string): string => {
      const type = given.replace(/^\./, '');
      if (scalars.has(type)) return type;
      if (type.startsWith('map<')) {
        const [key, value] = type.slice(4, -1).split(',') as [string, string];
        if (key !== 'string') throw new Error(`${full}: map key ${key}`);
        return `{}${fullType(value.trim())}`;
      }
      if (/^k8s\.io\./.test(type)) {
        const at = type.lastIndexOf('.');
        return `#${protobufPackage(type.slice(0, at))}.${type.slice(at + 1)}`;
      }
      // A relative name: of this package, or nested in a message of it.
      if (messages[`${full.slice(0, dot)}.${type}`] === undefined)
        throw new Error(`${full}: unknown ${type}`);
      return `#${pkg}.${type}`;
    };
    const zero = new Set(go.omittedWhenZero[full] ?? []);
    const pointers = new Set(go.pointers[full] ?? []);
    const fields: { [number: string]: [string, string] | [string, string, 1 | 2] } = {};
    for (const [field, [number, type, label]] of Object.entries(messages[full]!)) {
      const expression = (label === 'repeated' ? '[]' : '') + fullType(type);
      const name = go.jsonNames[full]?.[field] ?? field;
      const mark = zero.has(field) ? 1 : pointers.has(field) ? 2 : undefined;
      fields[String(number)] = mark === undefined ? [name, expression] : [name, expression, mark];
    }
    const siblings = compact.get(pkg) ?? {};
    siblings[full.slice(dot + 1)] = fields;
    compact.set(pkg, siblings);
  }
  return compact;
}

function moduleText(name: string, doc: string, packages: ReadonlyMap<string, unknown>): string {
  const lines = [
    `// Generated by scripts/generate-catalogue.ts from the facts of Kubernetes ${release}. Do not edit.`,
    '',
    `/** ${doc} */`,
    `export const ${name}: { readonly [key: string]: string } = {`,
  ];
  for (const key of [...packages.keys()].sort()) {
    lines.push(`  ${JSON.stringify(key)}:\n    ${quoted(JSON.stringify(packages.get(key)))},`);
  }
  lines.push('};', '');
  return lines.join('\n');
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

async function main(): Promise<void> {
  const here = dirname(fileURLToPath(import.meta.url));
  const facts = resolve(process.argv[2] ?? join(here, '../../shared/facts'));
  const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(file, 'utf8')) as T;
  const types = await read<{ [definition: string]: Fact }>(join(facts, `kubernetes-${release}-types.json`));
  const resources = await read<ResourceFact[]>(join(facts, `kubernetes-${release}-resources.json`));
  const messages = await read<{ [name: string]: MessageFact }>(
    join(facts, `kubernetes-${release}-protobuf.json`),
  );
  const go = await read<GoFacts>(join(here, 'kubernetes-go-fields.json'));

  const typePackages = compactTypes(types, go);
  const kinds = new Map(
    Object.entries(types).flatMap(([definition, fact]) =>
      (fact.gvk ?? []).map(([group, version, kind]) => [`${group}/${version}/${kind}`, definition] as const),
    ),
  );
  const byGroup = new Map<string, unknown[]>();
  for (const row of resources) {
    const definition = kinds.get(`${row.group}/${row.version}/${row.kind}`);
    if (definition === undefined) throw new Error(`no type for ${row.group}/${row.version}/${row.kind}`);
    const compact = {
      v: row.version,
      r: row.resource,
      k: row.kind,
      d: definition.replace(/^io\.k8s\./, ''),
      ...(row.namespaced ? { n: 1 } : {}),
      verbs: [...row.verbs].sort(),
      ...(Object.keys(row.subresources).length === 0
        ? {}
        : {
            s: Object.fromEntries(
              Object.entries(row.subresources)
                .sort(([a], [b]) => (a < b ? -1 : 1))
                .map(([name, one]) => [name, [one.kind.replace(/^\//, ''), [...one.verbs].sort()]]),
            ),
          }),
    };
    const rows = byGroup.get(row.group) ?? [];
    rows.push(compact);
    byGroup.set(row.group, rows);
  }
  const messagePackages = compactMessages(
    messages,
    new Set([...typePackages.keys(), 'apimachinery.pkg.runtime', 'apimachinery.pkg.apis.meta.v1']),
    go,
  );

  const out = join(here, '../src/api/builtin/catalogue');
  await mkdir(out, { recursive: true });
  const write = (file: string, text: string): Promise<void> => writeFile(join(out, file), text);
  await write(
    'types.ts',
    moduleText(
      'typePackages',
      'Package (`api.apps.v1`) → JSON text of its types, parsed when first asked for.',
      typePackages,
    ),
  );
  await write(
    'resources.ts',
    moduleText('resourceGroups', 'API group → JSON text of its resources, a row per version.', byGroup),
  );
  const { typeNames, embedded, emptyObjects } = go;
  await write(
    'go-types.ts',
    moduleText(
      'goTypes',
      'What Go has and OpenAPI does not tell: JSON text of a record by definition, parsed when first asked for.',
      new Map(Object.entries({ typeNames, embedded, emptyObjects })),
    ),
  );
  await write(
    'messages.ts',
    moduleText(
      'messagePackages',
      'Package (`api.apps.v1`) → JSON text of its protobuf messages, parsed when first asked for.',
      messagePackages,
    ),
  );
}

await main();
