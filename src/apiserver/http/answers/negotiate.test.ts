import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { type Asked, negotiate, type Subject } from './negotiate.ts';

function asked(resource: string): Asked {
  const definition = builtinDefinitions().find((one) => one.group === '' && one.resource === resource);
  const version = definition?.versions[0];
  assert.ok(definition !== undefined && version !== undefined);
  return { served: { definition, version }, subresource: '' };
}

const meta = ';v=v1;g=meta.k8s.io';
const json = 'application/json';
const protobuf = 'application/vnd.kubernetes.protobuf';
const all = `only the following media types are accepted: ${json}, application/yaml, ${protobuf}`;
const streams = `only the following media types are accepted: ${json};stream=watch, ${protobuf};stream=watch`;

test('406 in the words of kube-apiserver (endpoints/handlers/negotiation, asPartialObjectMetadata)', () => {
  const rows: [string, Subject, string][] = [
    [
      `${json};as=PartialObjectMetadata${meta}`,
      'list',
      'you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)',
    ],
    [
      `${json};as=PartialObjectMetadataList${meta}`,
      'object',
      'you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)',
    ],
    [
      `${json};as=PartialObjectMetadata${meta},${json}`,
      'list',
      'you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)',
    ],
    [`${json};as=Table;v=v2;g=meta.k8s.io`, 'object', all],
    [`${json};as=Table;v=v2;g=meta.k8s.io`, 'watch', all],
    [`${json};as=Foo${meta}`, 'watch', all],
    ['application/yaml', 'watch', streams],
    [`application/yaml,${json}`, 'watch', streams],
    [`application/yaml;as=Table${meta}`, 'watch', streams],
    [`${json};stream=foo`, 'object', all],
    [`${json};stream=foo`, 'watch', all],
    ['application/yaml;stream=watch', 'list', all],
  ];
  for (const [accept, subject, message] of rows) {
    assert.throws(
      () => negotiate(accept, subject, asked('configmaps')),
      (error) => error instanceof ApiError && error.code === 406 && error.message === message,
      `${accept} of a ${subject}`,
    );
  }
});

test('a stream may be asked for by its name', () => {
  assert.equal(negotiate(`${json};stream=watch`, 'watch', asked('configmaps')).encoding, 'json');
  assert.equal(negotiate(`${protobuf};stream=watch`, 'watch', asked('configmaps')).encoding, 'protobuf');
  assert.equal(negotiate(`text/html, ${json};stream=watch`, 'list', asked('configmaps')).encoding, 'json');
});

test('a route that nothing is found for tells of streams where there are some (go-restful)', () => {
  const told = (method: string) => {
    try {
      negotiate('text/html', 'list', { ...asked('configmaps'), info: { method } });
    } catch (error) {
      return error instanceof ApiError ? error.message : '';
    }
    return '';
  };
  assert.match(told('GET'), /stream=watch/);
  assert.doesNotMatch(told('DELETE'), /stream=watch/);
});
