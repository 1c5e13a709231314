import type { RawRequest } from '../harness/raw-http.ts';
import {
  bodyBytesMax,
  maps,
  mapText,
  nested,
  post,
  postMeta,
  postProtobuf,
  postYaml,
  protobufType,
  type Row,
  root,
  widgets,
  widgetText,
} from './requests.ts';

export const jsonBodies: readonly Row[] = [
  ['cut short', post('{"apiVersion":'), 400, /json parse error: unexpected end of JSON/],
  ['nothing', post(''), 400, /unexpected end of JSON input \(<empty>\)$/],
  ['spaces', post('   '), 400, /unexpected end of JSON/],
  ['a list', post('[]'), 400, /unrecognized/],
  ['null', post('null'), 422, /name or generateName is required/],
  ['text behind it', post(`${mapText()}x`), 400, /invalid character 'x' after top-level value/],
  ['two objects', post(mapText() + mapText()), 400, /after top-level value/],
  ['NaN', post(mapText(',"data":{"a":NaN}')), 400, /invalid character 'N'/],
  ['no UTF-8', post(Buffer.from(mapText(',"data":{"a":"\xff"}'), 'latin1')), 400, /UTF-8/],
  [
    'wrong type',
    post(mapText(',"data":{"a":1}')),
    400,
    /cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string/,
  ],
  ['no metadata', post('{"apiVersion":"v1","kind":"ConfigMap"}'), 422, /name or generateName is required/],
  ['metadata a list', post('{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}'), 400, /metadata/],
  ['labels a list', postMeta('"labels":["a"]'), 400, /labels/],
  [
    'other kind',
    post(mapText().replace('ConfigMap', 'Secret')),
    400,
    /cannot be handled as a ConfigMap: converting/,
  ],
  [
    'other version',
    post(mapText().replace('v1', 'v2')),
    400,
    /no kind "ConfigMap" is registered for version "v2"/,
  ],
  ['kind a number', post(mapText().replace('"ConfigMap"', '3')), 400, /field \.kind of type string/],
  ['resourceVersion (C1)', postMeta('"resourceVersion":"5"'), 500, /resourceVersion should not be set/],
  ['other namespace (C1)', postMeta('"namespace":"other"'), 400, /does not match the namespace/],
  ['over 3 MiB (O4)', post(Buffer.alloc(bodyBytesMax + 1, 0x20)), 413, /limit is 3145728/],
  ['compressed', { ...post(mapText()), headers: { 'content-encoding': 'gzip' } }, 415, /gzip/],
  ['lists nested a million deep', post(nested('[', '', ']', 1_000_000)), 400, /nested deeper than 500/],
  ['objects nested 501 deep', post(nested('{"a":', '1', '}', 501)), 400, /nested deeper than 500/],
  [
    'against its schema',
    post(widgetText(',"spec":{"size":"x"}'), widgets),
    422,
    /size in body must be of type/,
  ],
  ['beyond its schema', post(widgetText(',"spec":{"size":101}'), widgets), 422, /spec\.size/],
  ['without what is required', post(widgetText(',"spec":{}'), widgets), 422, /spec\.size: Required value/],
];

export const yamlBodies: readonly Row[] = [
  ['two mappings in a line', postYaml('a: b: c'), 400, /^error converting YAML to JSON: yaml: /],
  ['tab', postYaml('\tfoo: bar'), 400, /[Tt]ab/],
  ['two documents', postYaml('a: b\n---\nc: d\n'), 400, /one document/],
  ['unknown alias', postYaml('a: *nobody'), 400, /alias/],
  ['alias of itself', postYaml('a: &a [*a]'), 400, /nested deeper/],
  ['billion laughs', postYaml(laughs()), 400, /[Aa]lias/],
  ['flow nested 100,000 deep', postYaml('[ '.repeat(100_000)), 400, /nested deeper than 500/],
  ['block nested 2,000 deep', postYaml(stairs(2_000)), 400, /nested deeper than 500/],
  ['infinity', postYaml('data: {a: .inf}'), 400, /unsupported value/],
  ['a scalar', postYaml('hello'), 400, /unrecognized/],
];

export const protobufBodies: readonly Row[] = [
  ['no prefix', { ...post('hello'), contentType: protobufType }, 400, /6b 38 73 00/],
  ['prefix alone', postProtobuf([]), 400, /no kind/],
  ['bad tag', postProtobuf([0, 0, 0, 0]), 400, /protobuf/],
  ['length beyond the end', postProtobuf([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), 400, /protobuf/],
  ['endless number', postProtobuf(Array(64).fill(0xff)), 400, /protobuf/],
  ['of a custom resource (N2)', postProtobuf([], widgets), 415, /unknown format/],
];

const owner = '"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x"}]';

export const names: readonly Row[] = [
  [
    'upper case',
    post(mapText('', 'Upper')),
    422,
    /metadata\.name: Invalid value: "Upper": a lowercase RFC 1123/,
  ],
  ['slash', post(mapText('', 'a/b')), 422, /metadata\.name/],
  ['dots', post(mapText('', '..')), 422, /metadata\.name/],
  ['254 characters', post(mapText('', 'a'.repeat(254))), 422, /must be no more than 253/],
  ['label value of 64', postMeta(`"labels":{"a":"${'x'.repeat(64)}"}`), 422, /metadata\.labels.*63/],
  ['label key', postMeta('"labels":{"a b":"x"}'), 422, /metadata\.labels/],
  [
    '257 KiB annotated',
    postMeta(`"annotations":{"a":"${'x'.repeat(263_000)}"}`),
    422,
    /annotations: Too long/,
  ],
  ['finalizer', postMeta('"finalizers":["x y"]'), 422, /metadata\.finalizers/],
  ['owner without uid', postMeta(owner), 422, /metadata\.ownerReferences\.uid/],
  [
    'no such namespace (S2)',
    post(mapText(), maps.replace('standing', 'nowhere')),
    404,
    /^namespaces "nowhere" not/,
  ],
  ['exists (E3)', post(mapText('', 'a')), 409, /^configmaps "a" already exists$/],
  ['is not there (E3)', { path: `${maps}/nothing` }, 404, /^configmaps "nothing" not found$/],
];

const unknownFormat =
  /^the body of the request was in an unknown format - accepted media types include: application\/json/;
const onlyThese =
  /^(only the following media types are accepted|406: Not Acceptable\n\nAvailable representations): application\/json/;
const reviews = `${root}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`;
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

export const mediaTypes: readonly Row[] = [
  ...['text/plain', 'application/cbor', ';charset=utf-8', 'application/x-www-form-urlencoded', 'json'].map(
    (contentType): Row => [`body ${contentType}`, { ...post(mapText()), contentType }, 415, unknownFormat],
  ),
  ...[
    'text/html',
    `${protobufType};as=Table;v=v1;g=meta.k8s.io`,
    '////;;;q=zzz',
    'a/b,'.repeat(10_000),
    'application/json;as=Nothing',
  ].map(
    (accept): Row => [`Accept ${accept.slice(0, 40)}`, { path: maps, headers: { accept } }, 406, onlyThese],
  ),
  // In the order in which Kubernetes' routes are found and its handlers read: type of a patch, Accept, type of a body, options.
  [
    'type of a patch before Accept',
    { ...unknownPatch(''), headers: { accept: 'text/html' } },
    415,
    /^415: Unsupported Media Type$/,
  ],
  ['type of a patch before options', unknownPatch('?force=true'), 415, /^415: /],
  [
    'type of a body before options',
    { ...post(mapText(), `${maps}?dryRun=X`), contentType: 'text/plain' },
    415,
    unknownFormat,
  ],
  ['method before Accept', { method: 'PUT', path: maps, headers: { accept: 'text/html' } }, 405, /./],
  ['Table of a review (N3)', { ...post('{}', reviews), headers: table }, 406, onlyThese],
];

function unknownPatch(query: string): RawRequest {
  return { method: 'PATCH', path: `${maps}/a${query}`, body: '{}', contentType: 'application/x' };
}

function laughs(): string {
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 10; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join()}]`,
    );
  return `${lines.join('\n')}\n`;
}

function stairs(depth: number): string {
  return Array.from({ length: depth }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
}
