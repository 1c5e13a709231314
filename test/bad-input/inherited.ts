import type { RawRequest } from '../harness/raw-http.ts';
import {
  crds,
  destroy,
  list,
  mapText,
  patch,
  post,
  postMeta,
  postYaml,
  widgets,
  widgetText,
} from './requests.ts';

const polluting = '"__proto__":{"polluted":"yes"}';
const escaped = '"\\u005f_proto__":{"polluted":"yes"}';
const yamlHead = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n';
const schema = '{"type":"object","properties":{"__proto__":{"type":"string"}}}';
const crd = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
  "metadata":{"name":"gadgets.example.com"},"spec":{"group":"example.com","scope":"Cluster",
  "names":{"plural":"gadgets","kind":"Gadget"},
  "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":${schema}}}]}}`;

/** Everywhere that a name can stand: each is refused. */
export const pollutions: readonly (readonly [string, RawRequest])[] = [
  ['body', post(`{${polluting},${mapText().slice(1)}`)],
  ['body, escaped', post(`{${escaped},${mapText().slice(1)}`)],
  ['data', post(mapText(',"data":{"__proto__":"x"}'))],
  ['labels', postMeta(`"labels":{${polluting}}`)],
  ['annotations', postMeta('"annotations":{"__proto__":"x"}')],
  ['free field', post(widgetText(`,"spec":{"size":1,"free":{"a":[{${polluting}}]}}`), widgets)],
  ['YAML', postYaml(`${yamlHead}__proto__: {polluted: 'yes'}`)],
  ['YAML merge key', postYaml(`x: &x {__proto__: {polluted: 'yes'}}\n<<: *x\n${yamlHead}`)],
  ['JSON patch value', patch('json', `[{"op":"add","path":"/metadata/annotations","value":{${polluting}}}]`)],
  ['JSON patch path', patch('json', '[{"op":"add","path":"/__proto__/polluted","value":"yes"}]')],
  ['JSON patch, data', patch('json', '[{"op":"add","path":"/data/__proto__","value":"yes"}]')],
  [
    'JSON patch, constructor',
    patch('json', '[{"op":"add","path":"/constructor/prototype/polluted","value":1}]'),
  ],
  [
    'JSON patch copies',
    patch('json', '[{"op":"copy","from":"/valueOf/x","path":"/spec/free/x"}]', `${widgets}/a`),
  ],
  [
    'JSON patch moves',
    patch('json', '[{"op":"move","from":"/spec/valueOf","path":"/spec/free/x"}]', `${widgets}/a`),
  ],
  ['merge patch', patch('merge', `{${polluting}}`)],
  ['strategic patch', patch('strategic', `{"data":{${polluting}}}`)],
  ['apply', patch('apply', mapText(`,"data":{${polluting}}`, 'a'))],
  ['CRD schema', post(crd, crds)],
  ['delete options', destroy(`{"preconditions":{${polluting}}}`)],
  ['label selector', list('labelSelector=__proto__%3Dx')],
  ['field selector', list('fieldSelector=__proto__%3Dx')],
  ['field selector, constructor', list('fieldSelector=constructor%3Dx')],
];

/** Ordinary names in Kubernetes, which every JavaScript object has something under. */
export const inheritedNames = [
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  'prototype',
] as const;
