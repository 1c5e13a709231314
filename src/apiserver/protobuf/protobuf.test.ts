import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '#apimachinery/api-error.ts';
import { decodeProtobuf } from './protobuf.ts';
import { goBodies, kubectlBodies } from './testing/protobuf-vectors.ts';

const bytesOf = (base64: string) => Buffer.from(base64, 'base64');

test('bodies sent by kubectl 1.33 decode to what they stand for (KUBERNETES.md section 4)', () => {
  for (const [request, { base64, object }] of Object.entries(kubectlBodies)) {
    const decoded = decodeProtobuf(bytesOf(base64));
    assert.deepEqual(decoded.object, object, request);
    assert.deepEqual([decoded.apiVersion, decoded.kind], [object['apiVersion'], object['kind']]);
  }
});

test('zeros behind pointers stay, others go: as in the JSON of the same Go object', () => {
  for (const { base64, object } of goBodies) assert.deepEqual(decodeProtobuf(bytesOf(base64)).object, object);
});

/** A length-delimited field. */
const field = (number: number, content: Buffer | string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);
};

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
};

const envelope = (apiVersion: string, kind: string, ...parts: Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from([0x6b, 0x38, 0x73, 0]),
    field(1, Buffer.concat([field(1, apiVersion), field(2, kind)])),
    ...parts,
  ]);

const refused = (body: Buffer, text: RegExp) =>
  assert.throws(
    () => decodeProtobuf(body),
    (error) => error instanceof ApiError && error.code === 400 && text.test(error.message),
  );

test('what is not Kubernetes protobuf is refused with 400', () => {
  refused(Buffer.from('{}'), /prefix/);
  refused(Buffer.alloc(0), /prefix/);
  refused(envelope('v1', 'Nothing'), /no kind "Nothing" is registered for version "v1"/);
  refused(envelope('example.com/v1', 'ConfigMap'), /no kind/);
  refused(envelope('constructor/v1', 'ConfigMap'), /no kind/);
  refused(envelope('', ''), /no kind/);
  refused(envelope('v1', 'ConfigMap', field(3, 'gzip')), /encoded once more/);
  refused(envelope('v1', 'ConfigMap', field(4, 'application/json')), /of type/);
  refused(envelope('v1', 'ConfigMap', Buffer.from([0x12, 0x7f])), /unexpected end/);
  refused(envelope('v1', 'ConfigMap', field(2, Buffer.from([0x0b]))), /wire type/);
  refused(envelope('v1', 'ConfigMap', field(2, Buffer.from([0x08, 0x01]))), /wire type/);
});

test('a key __proto__ is refused, in maps and in embedded JSON', () => {
  const entry = Buffer.concat([field(1, '__proto__'), field(2, 'x')]);
  refused(envelope('v1', 'ConfigMap', field(2, field(2, entry))), /__proto__/);
  const raw = field(2, field(1, '{"a":{"__proto__":1}}'));
  refused(envelope('apps/v1', 'ControllerRevision', field(2, raw)), /__proto__/);
});

test('nesting and the number of values are bounded', () => {
  let schema: Buffer = Buffer.alloc(0);
  const not = (inner: Buffer) => Buffer.concat([varint(28 * 8 + 2), varint(inner.length), inner]);
  for (let i = 0; i < 300; i++) schema = not(schema);
  const version = field(4, field(1, schema));
  refused(
    envelope('apiextensions.k8s.io/v1', 'CustomResourceDefinition', field(2, field(2, field(7, version)))),
    /nests deeper than 200 messages/,
  );
  const embedded = field(2, field(1, `${'['.repeat(100_000)}${']'.repeat(100_000)}`));
  refused(envelope('apps/v1', 'ControllerRevision', field(2, embedded)), /nested deeper than 500 levels/);
  const finalizers = Buffer.alloc(2_000_004, Buffer.from([14 * 8 + 2, 0]));
  refused(envelope('v1', 'ConfigMap', field(2, field(1, finalizers))), /too many values/);
});

test('unknown fields are skipped, packed scalars read', () => {
  const unknown = Buffer.concat([
    Buffer.from([0xf8, 0x07, 0x05]),
    Buffer.from([0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([0xfd, 0x07, 1, 2, 3, 4]),
    Buffer.from([0xfa, 0x07, 0x01, 0x41]),
  ]);
  const body = envelope('v1', 'ConfigMap', field(2, Buffer.concat([unknown, field(1, field(1, 'n'))])));
  assert.deepEqual(decodeProtobuf(body).object, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'n' },
  });
  // PodSecurityContext.supplementalGroups (4), packed: 1, 256
  const securityContext = field(14, field(4, Buffer.from([1, 0x80, 0x02])));
  const pod = decodeProtobuf(envelope('v1', 'Pod', field(2, field(2, securityContext))));
  assert.deepEqual(pod.object['spec'], { securityContext: { supplementalGroups: [1, 256] } });
});

test('random bytes behind a good envelope either decode or give 400', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('Pod', 'ConfigMap', 'Service'),
      fc.uint8Array({ maxLength: 200 }),
      (kind, bytes) => {
        try {
          decodeProtobuf(envelope('v1', kind, field(2, Buffer.from(bytes))));
        } catch (error) {
          assert.ok(error instanceof ApiError && error.code === 400, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('every cut of a good body either decodes or gives 400', () => {
  for (const { base64 } of goBodies) {
    const bytes = bytesOf(base64);
    for (let end = 0; end < bytes.length; end += 3) {
      try {
        decodeProtobuf(bytes.subarray(0, end));
      } catch (error) {
        assert.ok(error instanceof ApiError && error.code === 400, String(error));
      }
    }
  }
});
