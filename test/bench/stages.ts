import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { decodeJson } from '#apimachinery/decode-json.ts';
import { cloneJson, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { renderEntry } from '#apiserver/registry/conversion.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import { prepareForCreate } from '#apiserver/registry/prepare.ts';
import { entryOf } from '#apiserver/registry/stored-object.ts';
import { type Target, withClusterAnnotation } from '#apiserver/registry/target.ts';
import { validateObject } from '#apiserver/registry/validate-object.ts';
import { acceptObject, type DecodeTarget, decodeObject } from '#apiserver/verbs/decode-body.ts';
import { tracker } from '#apiserver/verbs/field-tracking.ts';
import type { ClusterId } from '#apiserver/workspace/workspace.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { sampleDeployment } from './samples.ts';
import { type Row, row } from './table.ts';

const rounds = 20_000;
const warmRounds = 4_000;
const writers = 64;

/** CPU time of one create, stage by stage, in this process: what a request costs beside HTTP and TLS. */
export async function benchStages(): Promise<Row[]> {
  const scheme = createScheme(builtinDefinitions());
  const served = scheme.lookupResource('apps', 'v1', 'deployments');
  if (served === undefined) throw new Error('no deployments');
  const workspace = {
    id: 'bench' as ClusterId,
    path: 'root:bench',
    type: 'universal',
    phase: 'Ready',
    scheme,
    inert: false,
  } as const;
  const target: Target = { workspace, served, namespace: 'default', name: 'load-1' };
  const decodeTarget: DecodeTarget = { ...target, fieldValidation: 'Warn', warnings: [] };
  const text = JSON.stringify(sampleDeployment('load-1'));
  const bytes = Buffer.from(text);
  const trackLater = tracker(served, {
    manager: 'bench',
    apiVersion: 'apps/v1',
    subresource: '',
    now: '2026-01-01T00:00:00Z',
    resetFields: ['status'],
    versions: { type: 'same' },
  });
  const track = (object: KubeObject, live: KubeObject | undefined): KubeObject => {
    const known = trackLater(object, live);
    if (known instanceof Promise) throw new Error('only kinds that a webhook converts are waited for');
    return known;
  };
  const decoded = () => JSON.parse(text) as KubeObject;
  const accepted = () => decodeObject({ contentType: 'application/json', bytes }, decodeTarget);
  const prepared = () => {
    const object = accepted();
    prepareForCreate(object, target, 0);
    return object;
  };
  const tracked = track(prepared(), undefined);
  const { definition } = served;
  const stored = encodeStored(withClusterAnnotation(tracked, 'bench'), definition);
  const entry = entryOf({ key: keyAt(0), value: stored, revision: 1_234_567 as Revision });

  const rows = [
    stage(
      'decode: UTF-8, JSON, depth, repeated fields',
      () => bytes,
      (one) => {
        const { value, duplicateFields } = decodeJson(one);
        duplicateFields();
        return value;
      },
    ),
    stage('accept: types, unknown fields, defaults', decoded, (one) =>
      acceptObject(one as JsonValue, [], decodeTarget),
    ),
    stage('prepare: uid, times, generation', accepted, (one) => prepareForCreate(one, target, 0)),
    stage('managedFields', prepared, (one) => track(one, undefined)),
    stage(
      'validate',
      () => tracked,
      (one) => validateObject(one, undefined, target, ''),
    ),
    stage(
      'encode',
      () => tracked,
      (one) => encodeStored(withClusterAnnotation(one, 'bench'), definition),
    ),
    stage(
      'render the answer',
      () => entry,
      (one) => renderEntry(one, served),
    ),
    stage(
      'copy of the whole object, for comparison',
      () => tracked,
      (one) => cloneJson(one),
    ),
  ];
  rows.push(...(await benchCommit(stored)));
  return rows;
}

/** Inputs are made before the clock starts: some stages change theirs. */
function stage<Input>(name: string, input: () => Input, run: (input: Input) => unknown): Row {
  for (let round = 0; round < warmRounds; round++) run(input());
  let totalUs = 0;
  const lot = 500;
  for (let done = 0; done < rounds; done += lot) {
    const inputs = Array.from({ length: lot }, input);
    const before = process.cpuUsage();
    for (const one of inputs) run(one);
    const { user, system } = process.cpuUsage(before);
    totalUs += user + system;
  }
  return row(name, totalUs / rounds, 'µs');
}

function keyAt(index: number) {
  return objectKey({
    group: 'apps',
    resource: 'deployments',
    clusterId: 'bench',
    namespace: 'default',
    name: `load-${index}`,
  });
}

async function benchCommit(value: Buffer): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const storage = await openCachedStorage(await openLevelStorage({ directory: folder.path }));
  let next = 0;
  const run = async (count: number) => {
    const end = next + count;
    await Promise.all(
      Array.from({ length: writers }, async () => {
        while (next < end) await create(storage, next++, value);
      }),
    );
  };
  await run(warmRounds);
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await run(rounds);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startedMs) / 1_000;
  await storage.close();
  return [
    row(
      'commit: guard, log, LevelDB, fsync, cache, event',
      (user + system) / rounds,
      'µs',
      `${writers} writers, all threads; ${(rounds / seconds).toFixed(0)}/s`,
    ),
  ];
}

async function create(storage: CachedStorage, index: number, value: Buffer): Promise<void> {
  const key = keyAt(index);
  const result = await storage.transact({
    guards: [{ key, revision: 0 as Revision }],
    operations: [{ type: 'put', key, value }],
  });
  if (!result.committed) throw new Error(`${key} is there already`);
}
