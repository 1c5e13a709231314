// Random requests, made of pieces of real ones, against one server: never a 5xx but the documented ones, never a hang,
// never a change to what stands. A failure prints the seed; CELLPLANE_RANDOM_SEED runs it again, CELLPLANE_RANDOM_RUNS
// makes it longer.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { anyRequest, collectionOf, playground, resources } from './bad-input/random-requests.ts';
import { patch, post, root } from './bad-input/requests.ts';
import { type OpenApiSchemas, wellTyped } from './bad-input/well-typed.ts';
import { type LoneServer, startLoneServer } from './harness/lone-server.ts';
import type { RawAnswer, RawRequest } from './harness/raw-http.ts';
import { seedFrom } from './harness/seed.ts';
import { type Standing, standIn } from './harness/standing.ts';

const seed = seedFrom('CELLPLANE_RANDOM_SEED');
const runs = Number(process.env['CELLPLANE_RANDOM_RUNS'] ?? 400);
const atOnce = 8;
const residentMiBMax = 700;

/** 500 with a message of Kubernetes' own (C1, P3), and time-outs of reads that wait for a revision to come (L3). */
function isDocumented({ status, text }: RawAnswer, { method, path }: RawRequest): boolean {
  if (status < 500) return true;
  if (status === 500)
    return /resourceVersion should not be set on objects to be created|failed to create typed patch object/.test(
      text,
    );
  if (status === 501) return text.includes('NotImplemented');
  const says = text.includes('Too large resource version') || text.includes('allotted timeout');
  return status === 504 && (says || (method === 'HEAD' && path.includes('resourceVersion=')));
}

const dataKeys = fc
  .stringMatching(/^[-._a-zA-Z0-9]{1,20}$/)
  .filter((key) => !/^\.\.?$|^\.\.|^__proto__$/.test(key));

describe(`random input, CELLPLANE_RANDOM_SEED=${seed}`, { timeout: 600_000 + runs * 100 }, () => {
  let server: LoneServer;
  let standing: Standing;
  const statuses = new Map<number, number>();

  before(async () => {
    server = await startLoneServer();
    standing = await standIn(server);
  });
  after(() => server?.[Symbol.asyncDispose]());

  async function check(sent: RawRequest): Promise<void> {
    const answer = await server.raw.send(sent);
    const { status, text } = answer;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const told = `${sent.method} ${sent.path} ${String(sent.body).slice(0, 2_000)}: ${status} ${text.slice(0, 500)}`;
    assert.ok(isDocumented(answer, sent), `${told}\n${server.process.output().slice(-3_000)}`);
    assert.doesNotMatch(text, /node:internal|\.js:\d+:\d+/, `shows a stack: ${told}`);
    // E1: errors of the API are a Status; unknown paths are plain text.
    if (status >= 400 && /json/.test(String(answer.headers['content-type'])) && sent.method !== 'HEAD') {
      assert.deepEqual([answer.json?.['kind'], answer.json?.['code']], ['Status', status], told);
    }
  }

  test('any request is answered, and changes nothing that it does not name', async () => {
    await fc.assert(
      // Some at once: what one leaves behind must not show in another.
      fc.asyncProperty(fc.array(anyRequest, { minLength: atOnce, maxLength: atOnce }), async (requests) => {
        await Promise.all(requests.map(check));
      }),
      {
        seed,
        numRuns: runs,
        endOnFailure: true,
        includeErrorInReport: true,
        interruptAfterTimeLimit: 45_000 + runs * 50,
      },
    );
    await standing.assertUnharmed();
    const made = (statuses.get(200) ?? 0) + (statuses.get(201) ?? 0);
    const sent = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    // Of a run that was interrupted the first requests may all have been bad ones.
    assert.ok(
      sent < runs * atOnce || made > sent / 80,
      `random requests must succeed now and then: ${JSON.stringify([...statuses])}`,
    );
  });

  test('objects whose fields all have their type are taken or refused, and what is taken can be read', async () => {
    const requests = await wellTypedRequests();
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: atOnce, maxLength: atOnce }), async (some) => {
        await Promise.all(some.map(check));
      }),
      {
        seed,
        numRuns: runs,
        endOnFailure: true,
        includeErrorInReport: true,
        interruptAfterTimeLimit: 30_000 + runs * 50,
      },
    );
    for (const accept of [
      'application/json',
      'application/yaml',
      'application/json;as=Table;v=v1;g=meta.k8s.io',
      'application/vnd.kubernetes.protobuf, application/json',
    ]) {
      for (const resource of resources) {
        await check({ path: collectionOf(resource), headers: { accept } });
      }
    }
    await standing.assertUnharmed();
  });

  async function wellTypedRequests(): Promise<fc.Arbitrary<RawRequest>> {
    const schemas = new Map<string, OpenApiSchemas>();
    const all: fc.Arbitrary<RawRequest>[] = [];
    for (const resource of resources) {
      const [, apiVersion, kind] = resource;
      const document = apiVersion === 'v1' ? 'api/v1' : `apis/${apiVersion}`;
      if (!schemas.has(document)) {
        const { json = {} } = await server.raw.send({ path: `${root}/openapi/v3/${document}` });
        schemas.set(document, (json['components'] as { schemas: OpenApiSchemas }).schemas);
      }
      const known = schemas.get(document) ?? {};
      const name = Object.keys(known).find((one) => one.endsWith(`.${kind}`));
      assert.ok(name, `${kind} is described`);
      all.push(
        fc
          .tuple(wellTyped(known, name), fc.constantFrom('x1', 'x2', 'x3'), fc.nat(3))
          .map(([object, called, how]) => {
            const { metadata: _, ...rest } = object as { [key: string]: unknown };
            const body = JSON.stringify({ ...rest, apiVersion, kind, metadata: { name: called } });
            const path = collectionOf(resource);
            if (how < 2) return post(body, path);
            if (how === 2) return { ...post(body, `${path}/${called}`), method: 'PUT' };
            return patch('apply', body, `${path}/${called}?fieldManager=random&force=true`);
          }),
      );
    }
    return fc.oneof(...all);
  }

  test('any data of a ConfigMap comes back as it was stored', async () => {
    const path = `${playground}/configmaps`;
    const name = 'round-trip';
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(dataKeys, fc.string({ unit: 'binary', maxLength: 60 }), { noNullPrototype: true }),
        async (data) => {
          const text = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
          const created = await server.raw.send(post(text, path));
          assert.equal(created.status, 201, created.text);
          const read = await server.raw.send({ path: `${path}/${name}` });
          assert.deepEqual(read.json?.['data'] ?? {}, data);
          const nothing = Object.fromEntries(Object.keys(data).map((key) => [key, null]));
          const cleared = await server.raw.send(
            patch('merge', JSON.stringify({ data: nothing }), `${path}/${name}`),
          );
          assert.deepEqual(cleared.json?.['data'] ?? {}, {}, 'each key can be taken out again');
          assert.equal((await server.raw.send({ method: 'DELETE', path: `${path}/${name}` })).status, 200);
        },
      ),
      { seed, numRuns: 60, endOnFailure: true, includeErrorInReport: true, interruptAfterTimeLimit: 15_000 },
    );
    await standing.assertUnharmed();
  });

  test('memory stays bounded', () => {
    const resident = server.residentMiB();
    assert.ok(resident < residentMiBMax, `${resident.toFixed(0)} MiB resident`);
  });
});
