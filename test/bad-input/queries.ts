import { list, maps, mapText, patch, post, postWith, type Row, root } from './requests.ts';

const twice = mapText(',"data":{"a":"1","a":"2"}');
const twiceInYaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: "1", a: "2"}';

export const queries: readonly Row[] = [
  ['limit x', list('limit=x'), 400, /^strconv/],
  ['limit beyond 64 bits', list('limit=99999999999999999999'), 400, /value out of range$/],
  ['resourceVersion abc', list('resourceVersion=abc'), 400, /Invalid value: "abc"/],
  ['resourceVersion -1', list('resourceVersion=-1'), 400, /Invalid value: "-1"/],
  ['resourceVersion beyond 64 bits', list('resourceVersion=99999999999999999999999'), 400, /Invalid value/],
  ['resourceVersion to come (L3)', list('resourceVersion=999999999'), 504, /Too large resource version/],
  ['watch from abc', list('watch=1&resourceVersion=abc'), 400, /Invalid value: "abc"/],
  ['match without version (L2)', list('resourceVersionMatch=Exact'), 422, /resourceVersionMatch: Forbidden/],
  ['match unknown', list('resourceVersionMatch=Foo&resourceVersion=1'), 422, /Unsupported value: "Foo"/],
  ['Exact with 0 (L2)', list('resourceVersionMatch=Exact&resourceVersion=0'), 422, /Forbidden/],
  ['sendInitialEvents of a list (L2)', list('sendInitialEvents=true'), 422, /sendInitialEvents: Forbidden/],
  ['sendInitialEvents alone (W6)', list('watch=1&sendInitialEvents=true'), 422, /NotOlderThan/],
  ['timeoutSeconds abc', list('watch=1&timeoutSeconds=abc'), 400, /^strconv/],
  ['timeout abc (E5)', list('timeout=abc'), 400, /timeout/],
  ['timeout abc of a write (E5)', postWith('timeout=abc'), 400, /timeout/],
  ['continue abc', list('continue=abc'), 400, /continue key is not valid/],
  ['label selector cut short', list('labelSelector=a%20in%20('), 400, /unable to parse requirement/],
  ['label selector of operators', list('labelSelector=%3D%3D%3D'), 400, /found '=='/],
  ['label selector with a bad value', list('labelSelector=a%3D-b-'), 400, /Invalid value/],
  ['field selector unknown (L5)', list('fieldSelector=spec.foo%3Dbar'), 400, /is not a known field selector/],
  ['field selector without operator', list('fieldSelector=metadata.name'), 400, /invalid (field )?selector/],
  ['dryRun Some (C8)', postWith('dryRun=Some'), 422, /dryRun: Unsupported value.*supported values: "All"/],
  ['fieldManager of 129 (C8)', postWith(`fieldManager=${'a'.repeat(129)}`), 422, /fieldManager: Too long/],
  ['fieldManager, line break (C8)', postWith('fieldManager=a%0ab'), 422, /invalid character U\+000A/],
  ['fieldValidation Foo (C9)', postWith('fieldValidation=Foo'), 422, /fieldValidation: Unsupported value/],
  [
    'unknown field, Strict (C9)',
    postWith('fieldValidation=Strict', mapText(',"zzz":1')),
    400,
    /unknown field "zzz"$/,
  ],
  [
    'duplicate field, Strict (C9)',
    postWith('fieldValidation=Strict', twice),
    400,
    /duplicate field "data\.a"$/,
  ],
  [
    'duplicate field in YAML, Strict (C9)',
    { ...postWith('fieldValidation=Strict', twiceInYaml), contentType: 'application/yaml' },
    400,
    /duplicate|already defined|unique/,
  ],
  [
    'impersonated group alone (U3)',
    { path: maps, headers: { 'impersonate-group': 'x' } },
    400,
    /^requested &user\.DefaultInfo.* without impersonating a user name$/,
  ],
];

export const pathsAndMethods: readonly Row[] = [
  ['percent-encoding', { path: `${root}/api/v1/namespaces/%zz/configmaps` }, 400, /percent-encoding/],
  ['percent-encoded no UTF-8', { path: `${root}/api/v1/namespaces/%ff/configmaps` }, 400, /percent-encoding/],
  ['control character', { path: `${root}/api/v1/namespaces/a%00b/configmaps` }, 400, /control character/],
  ['workspace name', { path: '/clusters/Root!/api/v1/namespaces' }, 400, /invalid cluster/],
  ['workspace __proto__', { path: '/clusters/__proto__/api/v1/namespaces' }, 400, /invalid cluster/],
  ['POST to a name', post(mapText('', 'b'), `${maps}/b`), 405, /not supported|does not allow/],
  ['PUT to a collection', { ...post(mapText()), method: 'PUT' }, 405, /not supported|does not allow/],
  ['PATCH of a collection', patch('merge', '{}', maps), 405, /not supported|does not allow/],
  ['POST over all namespaces', post(mapText(), `${root}/api/v1/configmaps`), 405, /not supported/],
  ['OPTIONS', { method: 'OPTIONS', path: maps }, 405, /does not allow/],
  ['POST over all workspaces', post(mapText(), maps.replace('/root/', '/*/')), 405, /all workspaces/],
];

/** Nothing of these is there: 404, whatever is sent. */
export const unknownPaths: readonly string[] = [
  '/foo',
  `${root}/api/v1/foos`,
  `${root}/api/v1/__proto__`,
  `${root}/api/v1/constructor`,
  `${root}/api/v2/configmaps`,
  `${root}/apis/constructor/v1/pods`,
  `${root}/apis/__proto__/v1`,
  `${root}/apis/apps/v9/deployments`,
  `${root}/api/v1/namespaces/a%2Fb/configmaps`,
  `${root}/api/v1/namespaces//configmaps`,
  `${maps}/..`,
  `${maps}/a/constructor`,
  `${maps}/a/status/more`,
  `/${root}//api/v1/namespaces`,
  '/clusters/constructor/api/v1/namespaces',
  '/clusters/root:nowhere/api/v1/namespaces',
  `${root}/openapi/v3/apis/constructor/v1`,
];

/** Lists that a continue token of another list is sent to. */
export const foreignLists: readonly (readonly [string, string])[] = [
  ['of another resource', `${root}/api/v1/configmaps?limit=1`],
  ['of another namespace', `${maps}?limit=1`],
  ['of another workspace', '/clusters/root:cells/api/v1/namespaces?limit=1'],
  ['of all workspaces', '/clusters/*/api/v1/namespaces?limit=1'],
  ['with a selector', `${root}/api/v1/namespaces?limit=1&labelSelector=a`],
];
