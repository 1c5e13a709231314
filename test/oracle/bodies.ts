import { stringify } from 'yaml';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { Case, Step } from './case.ts';
import { namespace } from './pair.ts';

interface Written {
  readonly collection: string;
  readonly object: JsonObject;
}

const container = {
  name: 'c',
  image: 'i',
  ports: [{ containerPort: 80 }],
  env: [{ name: 'A', value: 'ä€😀' }],
};
const labels = { a: 'b' };
const written: readonly Written[] = [
  {
    collection: `/api/v1/namespaces/${namespace}/configmaps`,
    object: {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', labels } },
      ...{ data: { a: 'x\ny', b: 'yes' }, immutable: false },
    },
  },
  {
    collection: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    object: {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } },
      spec: {
        ...{ replicas: 2, selector: { matchLabels: labels } },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
  },
];

/** One change of a text by which it mostly means something else, or nothing. */
type Damage = (text: string, random: Random) => string;

const damages: { readonly [name: string]: Damage } = {
  'cut off': (text, random) => text.slice(0, random.between(0, text.length - 1)),
  'a character more': (text, random) => {
    const at = random.between(0, text.length);
    const more = random.pick([
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      "'",
      ' ',
      '\n',
      '\t',
      '\\',
      '-',
      '#',
      '&',
      '*',
      '0',
      'x',
    ]);
    return `${text.slice(0, at)}${more}${text.slice(at)}`;
  },
  'a character less': (text, random) => {
    const at = random.between(0, text.length - 1);
    return text.slice(0, at) + text.slice(at + 1);
  },
  'another value': (text, random) => {
    const values = [
      'null',
      '{}',
      '[]',
      '1e3',
      '-0',
      '1.5',
      'true',
      '"\\ud800"',
      '0x10',
      '99999999999999999999',
      'NaN',
    ];
    return text.replace(random.pick([/2|80/, /"?[abx]"?(?=[,\n}\]])/, /false|"i"/]), random.pick(values));
  },
  twice: (text) => text + text,
};

/** Bodies that are written as they should be and then damaged, in JSON and in YAML; none of them is stored. */
export function damagedBodies(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const { collection, object } = random.pick(written);
    const isYaml = random.next() < 0.4;
    const plain = isYaml ? stringify(object) : JSON.stringify(object);
    const name = random.pick(Object.keys(damages));
    const body = (damages[name] as Damage)(plain, random);
    const validation = random.pick(['', '&fieldValidation=Strict', '&fieldValidation=Ignore']);
    const step: Step = {
      ...{ path: `${collection}?dryRun=All${validation}`, method: 'POST', body: Buffer.from(body) },
      contentType: isYaml ? 'application/yaml' : 'application/json',
    };
    return { name: `${isYaml ? 'YAML' : 'JSON'} ${name} ${at}`, steps: [step] };
  });
}

/** What nests, as deep as a body may. */
export function nestedBodies(): Case[] {
  const { collection } = written[0] as Written;
  return [50, 400].flatMap((levels) =>
    [
      ['application/json', `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`],
      ['application/json', `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`],
      ['application/yaml', `a: ${'['.repeat(levels)}${']'.repeat(levels)}`],
      ['application/yaml', `${'- '.repeat(levels)}a`],
    ].map(([contentType = '', body = '']) => ({
      name: `nested ${levels} ${contentType} ${body.slice(0, 8)}`,
      steps: [{ path: `${collection}?dryRun=All`, method: 'POST', contentType, body: Buffer.from(body) }],
    })),
  );
}
