import assert from 'node:assert/strict';
import { test } from 'node:test';
import { document, served } from './testing/served-documents.ts';

/** The fields of one protobuf message: number → values; enough of a decoder to read back what was written. */
function decode(bytes: Buffer): Map<number, (Buffer | number)[]> {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag & 7;
    let value: Buffer | number;
    if (wireType === 0) value = varint();
    else if (wireType === 1) {
      value = bytes.readDoubleLE(at);
      at += 8;
    } else {
      assert.equal(wireType, 2);
      const length = varint();
      value = bytes.subarray(at, at + length);
      at += length;
    }
    const list = fields.get(tag >> 3);
    if (list === undefined) fields.set(tag >> 3, [value]);
    else list.push(value);
  }
  assert.equal(at, bytes.length);
  return fields;
}

const message = (bytes: Buffer, ...path: number[]): Buffer =>
  path.reduce((inner, field) => decode(inner).get(field)?.[0] as Buffer, bytes);

function pairs(bytes: Buffer, field: number): Map<string, Buffer> {
  return new Map(
    (decode(bytes).get(field) ?? []).map((pair) => {
      const inner = decode(pair as Buffer);
      return [String(inner.get(1)?.[0]), inner.get(2)?.[0] as Buffer];
    }),
  );
}

for (const spelling of ['spec.v2.v1.0', 'spec.v2@v1.0']) {
  test(`D6: gnostic protobuf of v2, asked for as ${spelling}`, () => {
    const response = served('/openapi/v2', `application/com.github.proto-openapi.${spelling}+protobuf`);
    assert.equal(
      response.headers['Content-Type'],
      'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    );
    assert.equal(String(message(response.body, 1)), '2.0');
    const swagger = document('/openapi/v2');
    const definitions = pairs(message(response.body, 9), 1);
    assert.deepEqual([...definitions.keys()], Object.keys(swagger.definitions));
    const paths = pairs(message(response.body, 8), 2);
    assert.deepEqual([...paths.keys()].sort(), Object.keys(swagger.paths).sort());
    const spec = message(definitions.get('com.example.stable.v1.CronTab') as Buffer, 25);
    const properties = pairs(message(pairs(spec, 1).get('spec') as Buffer, 25), 1);
    assert.deepEqual([...properties.keys()], ['size', 'port', 'tags', 'choice', 'free', 'constructor']);
    const size = decode(properties.get('size') as Buffer);
    assert.equal(size.get(7)?.[0], 10);
    assert.equal(size.get(9)?.[0], 1);
    assert.equal(String(message(properties.get('size') as Buffer, 22, 1)), 'integer');
    const strategy = message(definitions.get('io.k8s.api.apps.v1.DeploymentSpec') as Buffer, 25);
    const extended = pairs(strategy, 1).get('strategy') as Buffer;
    assert.equal(String(message(extended, 1)), '#/definitions/io.k8s.api.apps.v1.DeploymentStrategy');
    assert.equal(
      String(message(pairs(extended, 31).get('x-kubernetes-patch-strategy') as Buffer, 2)),
      '"retainKeys"',
    );
  });
}

for (const spelling of ['spec.v3.v1.0', 'spec.v3@v1.0']) {
  test(`D4: gnostic protobuf of v3, asked for as ${spelling}`, () => {
    const accept = `application/com.github.proto-openapi.${spelling}+protobuf`;
    const response = served('/openapi/v3/apis/apps/v1', accept);
    assert.equal(
      response.headers['Content-Type'],
      'application/com.github.proto-openapi.spec.v3.v1.0+protobuf',
    );
    assert.equal(String(message(response.body, 1)), '3.0.0');
    const json = document('/openapi/v3/apis/apps/v1');
    const schemas = pairs(message(response.body, 5, 1), 1);
    assert.deepEqual([...schemas.keys()], Object.keys(json.components.schemas));
    assert.deepEqual([...pairs(message(response.body, 4), 1).keys()], Object.keys(json.paths));
    const spec = pairs(message(schemas.get('io.k8s.api.apps.v1.Deployment') as Buffer, 1, 31), 1).get(
      'spec',
    ) as Buffer;
    assert.match(String(message(spec, 1, 34)), /^How many pods/);
    const reference = message(spec, 1, 26, 2, 1);
    assert.equal(String(reference), '#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec');
  });
}
