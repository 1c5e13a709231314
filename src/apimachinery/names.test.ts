import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configMapKey,
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  envVarName,
  generateName,
  generateNameSuffix,
  labelKey,
  labelValue,
  type NameValidator,
  pathSegmentName,
  portName,
  portNumber,
  wildcardDns1123Subdomain,
} from './names.ts';

const a63 = 'a'.repeat(63);

// Source: k8s.io/apimachinery/pkg/util/validation and its tests.
const rows: readonly [NameValidator, valid: string[], invalid: string[]][] = [
  [dns1123Label, ['a', 'a-1', '1', a63], ['', 'A', '-a', 'a-', 'a.b', 'a_b', `${a63}a`, 'ä', 'a\n']],
  [
    dns1123Subdomain,
    ['a', 'a.b', '1.2', 'a'.repeat(253)],
    ['', '.a', 'a.', 'a..b', 'A', 'a'.repeat(254), 'a-.b', 'a\n'],
  ],
  [dns1035Label, ['a', 'a1'], ['1a', '', 'a.b', '-', `${a63}a`]],
  [labelKey, ['a', 'A_b.c', 'x.io/Y', `x/${a63}`], ['', '/a', 'x/', 'a/b/c', 'X/y', '-a', 'a b', `${a63}a`]],
  [labelValue, ['', 'a', 'A.b_c-d', a63], ['-', 'a-', 'a b', `${a63}a`, 'a/b']],
  [pathSegmentName, ['system:x', 'a b'], ['.', '..', 'a/b', 'a%b']],
  [envVarName, ['A', 'a.b', '1', 'a b'], ['', 'a=b', 'ä', 'a\t']],
  [configMapKey, ['a', '.a', 'A_b-c.d'], ['', '.', '..', '..a', 'a/b', 'a'.repeat(254)]],
  [portName, ['http', 'a1-b'], ['', '1', 'A', '-a', 'a--b', 'a'.repeat(16)]],
  [wildcardDns1123Subdomain, ['*.a.b'], ['*', 'a.b', '*.', '*.*.a', '**.a']],
];

test('names are valid exactly where Kubernetes says so', () => {
  for (const [validate, valid, invalid] of rows) {
    for (const value of valid)
      assert.deepEqual(validate(value), [], `${validate.name} ${JSON.stringify(value)}`);
    for (const value of invalid) {
      assert.notDeepEqual(validate(value), [], `${validate.name} ${JSON.stringify(value)}`);
    }
  }
});

test('the messages are the ones of Kubernetes', () => {
  assert.deepEqual(dns1123Subdomain('A'), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
  assert.deepEqual(dns1123Label('A'), [
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ]);
  assert.deepEqual(dns1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(labelValue(`${a63}a`), ['must be no more than 63 bytes']);
  assert.deepEqual(pathSegmentName('a/b'), ["may not contain '/'"]);
  assert.deepEqual(portNumber(0), ['must be between 1 and 65535, inclusive']);
  assert.deepEqual(portNumber(65535), []);
});

test('hostile names take linear time', () => {
  const long = `${'a.'.repeat(1_000_000)}!`;
  const before = process.cpuUsage();
  dns1123Subdomain(long);
  labelValue(long);
  dns1123Label(long);
  assert.ok(process.cpuUsage(before).user < 1e6);
});

test('generated names have five characters of the vowel-less alphabet (C2)', () => {
  for (let i = 0; i < 1000; i++) assert.match(generateNameSuffix(), /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(generateName('a'.repeat(80)).length, 63);
  assert.ok(generateName('web-').startsWith('web-'));
});
