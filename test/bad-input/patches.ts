import { destroy, maps, mapText, nested, patch, post, type Row, widgets, widgetText } from './requests.ts';

/** What Kubernetes says of every JSON patch that does not apply. */
const rejected = /^the server rejected our request due to an error in our request$/;
const tooMany = `[${Array(10_001).fill('{"op":"test","path":"/kind","value":"ConfigMap"}').join()}]`;
const doubling = Array.from({ length: 40 }, (_, i) => `{"op":"copy","from":"/data","path":"/data/x${i}"}`);
const modified =
  /^Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again$/;
const conflict = /^Apply failed with 1 conflict: conflict with "[^"]+" using v1: \.data\.key$/;

export const jsonPatches: readonly Row[] = [
  ['cut short', patch('json', '[{"op":'), 400, /^error decoding patch: unexpected end of JSON input$/],
  ['an object', patch('json', '{}'), 400, /handlers.jsonPatchOp$/],
  ['unknown operation', patch('json', '[{"op":"frob","path":"/data/a"}]'), 422, rejected],
  ['no path', patch('json', '[{"op":"add","value":1}]'), 422, rejected],
  ['nothing to remove', patch('json', '[{"op":"remove","path":"/data/zzz"}]'), 422, rejected],
  ['test fails', patch('json', '[{"op":"test","path":"/data/key","value":"no"}]'), 422, rejected],
  ['10,001 operations (P1)', patch('json', tooMany), 413, /10000/],
  ['copies that double', patch('json', `[${doubling.join()}]`), 413, /copy/],
  ['leaves no object', patch('json', '[{"op":"replace","path":"","value":[]}]'), 400, /object/],
];

export const mergePatches: readonly Row[] = [
  ['a list', patch('merge', '[]'), 400, /cannot unmarshal array/],
  ['null', patch('merge', 'null'), 400, /^Invalid JSON Patch$/],
  ['wrong type', patch('merge', '{"data":{"x":5}}'), 422, /ConfigMap\.data of type string/],
  [
    'other name',
    patch('merge', '{"metadata":{"name":"b"}}'),
    400,
    /^the name of the object \(b\) does not match/,
  ],
  ['other uid', patch('merge', '{"metadata":{"uid":"zzz"}}'), 422, /metadata.uid: .*field is immutable/],
  ['stale (E3)', patch('merge', '{"metadata":{"resourceVersion":"1"},"data":{"x":"y"}}'), 409, modified],
  ['other kind', patch('merge', '{"kind":"Secret"}'), 422, /patch: Invalid value: /],
  ['nested 600 deep', patch('merge', nested('{"a":', '1', '}', 600)), 400, /nested deeper/],
  ['with force (P3)', patch('merge', '{}', `${maps}/a?force=true`), 422, /force: Forbidden/],
  ['of what is not there', patch('merge', '{}', `${maps}/nothing`), 404, /not found$/],
  [
    'as plain JSON',
    { ...patch('merge', '{}'), contentType: 'application/json' },
    415,
    /^415: Unsupported Media Type$/,
  ],
  ['strategic, a list', patch('strategic', '[]'), 400, /cannot unmarshal array/],
  ['strategic, unknown directive', patch('strategic', '{"data":{"$patch":"frob"}}'), 400, /patch type: frob/],
  [
    'strategic, of a custom resource (P1)',
    patch('strategic', '{}', `${widgets}/a`),
    415,
    /merge-patch\+json/,
  ],
];

export const applies: readonly Row[] = [
  [
    'no manager (P3)',
    patch('apply', mapText('', 'a'), `${maps}/a?force=true`),
    422,
    /fieldManager: Required/,
  ],
  ['no YAML', patch('apply', 'a: b: c'), 400, /yaml/],
  ['unknown field', patch('apply', mapText(',"zzz":1', 'a')), 500, /field not declared in schema/],
  ['managedFields (P3)', patch('apply', mapText('', 'a', '"managedFields":[{}],')), 400, /must be nil/],
  ['other name', patch('apply', mapText('', 'b')), 400, /does not match the name on the URL/],
  ['conflict (P5)', patch('apply', mapText(',"data":{"key":"mine"}', 'a')), 409, conflict],
];

const unversioned = widgetText(',"spec":{"size":1}', 'a');
const bothPolicies = '{"propagationPolicy":"Orphan","orphanDependents":true}';

export const replacementsAndDeletions: readonly Row[] = [
  ['PUT: other name (C3)', { ...post(mapText('', 'a'), `${maps}/b`), method: 'PUT' }, 400, /name on the URL/],
  ['PUT: no version (C3)', { ...post(unversioned, `${widgets}/a`), method: 'PUT' }, 422, /must be specified/],
  ['DELETE: other options', destroy('{"kind":"Foo","apiVersion":"v1"}'), 400, /^no kind "Foo" is registered/],
  ['DELETE: both policies (X2)', destroy(bothPolicies), 422, /propagationPolicy/],
  ['DELETE: unknown policy', destroy('{"propagationPolicy":"Frob"}'), 422, /propagationPolicy/],
  ['DELETE: negative grace', destroy('{"gracePeriodSeconds":-1,"preconditions":{"uid":"x"}}'), 409, /UID/],
  ['DELETE: other uid (X2)', destroy('{"preconditions":{"uid":"x"}}'), 409, /the UID in the precondition/],
];
