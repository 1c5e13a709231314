import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { messageOfKind } from '#api/builtin/catalogue-messages.ts';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { encodeBody, encodeProtobuf, hasProtobuf, listParts, watchFrame } from './encode-object.ts';
import { decodeProtobuf } from './protobuf.ts';
import { goDigests, objectsPerDigest } from './testing/go-digests.ts';
import { goBodies, kubectlBodies } from './testing/protobuf-vectors.ts';
import { drawFrom, randomMessage } from './testing/random-objects.ts';

function pathOf(apiVersion: string, kind: string): string {
  if (apiVersion === 'meta.k8s.io/v1') return `apimachinery.pkg.apis.meta.v1.${kind}`;
  const version = parseApiVersion(apiVersion);
  return messageOfKind(version?.group ?? '', version?.version ?? '', kind) ?? '';
}

function randomObject(apiVersion: string, kind: string, seed: number) {
  return { apiVersion, kind, ...randomMessage(pathOf(apiVersion, kind), drawFrom(seed)) };
}

test('bodies that Go programs sent are encoded to the same bytes again (KUBERNETES.md N2)', () => {
  for (const { base64, object } of [...Object.values(kubectlBodies), ...goBodies]) {
    assert.equal(encodeProtobuf(object).toString('base64'), base64);
  }
});

test("every kind is encoded byte for byte as by Kubernetes' own types", () => {
  for (const [key, [seed, digest]] of Object.entries(goDigests)) {
    const [apiVersion = '', kind = ''] = key.split(' ');
    const hash = createHash('sha256');
    for (let i = 0; i < objectsPerDigest; i++)
      hash.update(encodeProtobuf(randomObject(apiVersion, kind, seed + i)));
    assert.equal(hash.digest('base64url').slice(0, 16), digest, key);
  }
});

test('every built-in kind and list has a message, in all its versions; no other kind has', () => {
  let kinds = 0;
  for (const { group, kind, listKind, versions, virtual } of builtinDefinitions()) {
    for (const { version, subresources } of versions) {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      assert.ok(hasProtobuf(apiVersion, kind), `${apiVersion} ${kind}`);
      if (virtual !== true) assert.ok(hasProtobuf(apiVersion, listKind), `${apiVersion} ${listKind}`);
      for (const one of subresources) {
        const subVersion = one.group === '' ? one.version : `${one.group}/${one.version}`;
        assert.ok(hasProtobuf(subVersion, one.kind), `${subVersion} ${one.kind}`);
      }
      assert.ok(`${apiVersion} ${kind}` in goDigests, `${apiVersion} ${kind} has no digest`);
      kinds++;
    }
  }
  assert.ok(kinds > 80, String(kinds));
  for (const [apiVersion, kind] of [
    ['example.com/v1', 'Widget'],
    ['tenancy.kcp.io/v1alpha1', 'Workspace'],
    ['v1', 'constructor'],
    ['meta.k8s.io/v1', 'Table'],
    ['meta.k8s.io/v1', 'toString'],
    ['nonsense/v1/x', 'Pod'],
  ] as const) {
    assert.equal(hasProtobuf(apiVersion, kind), false, `${apiVersion} ${kind}`);
  }
  assert.throws(
    () => encodeProtobuf({ apiVersion: 'example.com/v1', kind: 'Widget' }),
    /no protobuf message/,
  );
});

test('what is decoded is encoded to the same bytes', () => {
  const keys = Object.keys(goDigests).filter((key) => !key.startsWith('meta.k8s.io/'));
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.nat(), (key, seed) => {
      const [apiVersion = '', kind = ''] = key.split(' ');
      const bytes = encodeProtobuf(randomObject(apiVersion, kind, seed));
      const { object } = decodeProtobuf(bytes);
      const again = encodeProtobuf(object);
      // An empty text of bytes that Go leaves out of JSON is the one thing that JSON cannot tell.
      if (!again.equals(bytes)) assert.deepEqual(decodeProtobuf(again).object, object);
    }),
    { numRuns: 150 },
  );
});

test('values that are not of their type are absent, and nothing is thrown', () => {
  const wrong = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 5, labels: ['a'], finalizers: {}, creationTimestamp: 'no time', generation: 'x' },
    spec: {
      ports: [null, { port: 1.5, targetPort: {} }],
      clusterIPs: [null, 1],
      sessionAffinityConfig: null,
    },
    status: 7,
  };
  const { object } = decodeProtobuf(encodeProtobuf(wrong));
  assert.deepEqual(object, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {},
    spec: {
      ports: [
        { port: 0, targetPort: 0 },
        { port: 1, targetPort: 0 },
      ],
      clusterIPs: ['', ''],
    },
    status: { loadBalancer: {} },
  });
});

test('large texts, lone surrogates and numbers at their limits', () => {
  const long = 'ä'.repeat(200_000);
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'n', generation: -1, deletionGracePeriodSeconds: Number.MAX_SAFE_INTEGER },
    data: { long, broken: '\ud800', 'zwei\u0000': '' },
  };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(object)).object, {
    ...object,
    data: { ...object.data, broken: '\ufffd' },
  });
});

test('a list of encoded items is the list encoded whole', () => {
  const items = [1, 2, 3].map((seed) => randomObject('v1', 'Pod', seed));
  const bodies = items.map(encodeBody);
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  const metadata = { resourceVersion: '17', continue: 'token', remainingItemCount: 0 };
  const { head, tail } = listParts('v1', 'PodList', metadata, bytes);
  const whole = encodeProtobuf({ apiVersion: 'v1', kind: 'PodList', metadata, items });
  assert.deepEqual(Buffer.concat([head, ...bodies, tail]), whole);
});

test('a frame of a watch: length, type, document (KUBERNETES.md W1)', () => {
  const object = randomObject('v1', 'Pod', 9);
  const frame = watchFrame('MODIFIED', 'v1', 'Pod', encodeBody(object));
  assert.equal(frame.readUInt32BE(0), frame.length - 4);
  const type = frame.subarray(4, 4 + 2 + 8);
  assert.deepEqual(type, Buffer.from('\x0a\x08MODIFIED', 'latin1'));
  const document = encodeProtobuf(object);
  assert.deepEqual(frame.subarray(frame.length - document.length), document);
});
