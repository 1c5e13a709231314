import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badRequest } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { widgets } from '../verbs/testing/widgets.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { BindingWriter, schedulerUserName } from './binding-writer.ts';
import { NamespaceLifecycle } from './namespace-lifecycle.ts';

const maps = '/api/v1/namespaces/default/configmaps';

function map(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more };
}

class Recorder implements AdmissionPlugin {
  readonly name: string;
  readonly log: string[];
  readonly isAsync: boolean;

  constructor(name: string, log: string[], isAsync: boolean) {
    this.name = name;
    this.log = log;
    this.isAsync = isAsync;
  }

  handles({ context }: AdmissionAttributes): boolean {
    return context.served.definition.resource === 'configmaps';
  }

  mutate({ object, operation, oldObject }: AdmissionAttributes): Promise<void> | undefined {
    const act = (): void => {
      this.log.push(`${this.name} mutate ${operation} ${oldObject === undefined ? 'new' : 'old'}`);
      if (object !== undefined)
        object['data'] = { ...(object['data'] as JsonObject), [this.name]: 'was here' };
    };
    if (this.isAsync) return Promise.resolve().then(act);
    act();
    return undefined;
  }

  validate({ object, oldObject, operation }: AdmissionAttributes): undefined {
    this.log.push(
      `${this.name} validate ${operation} ${object === undefined ? '-' : 'object'}/${oldObject?.metadata.name ?? '-'}`,
    );
    if (object?.metadata.labels?.['refuse'] === this.name) throw badRequest(`${this.name} says no`);
    return undefined;
  }
}

test('all mutations, then validation, then all validations (A1)', async () => {
  const log: string[] = [];
  await using harness = await Harness.open({
    plugins: () => [
      new Recorder('one', log, false),
      new Recorder('two', log, true),
      new Recorder('three', log, false),
    ],
  });
  const made = await harness.post(maps, map('a'));
  assert.deepEqual(Object.keys(made.object['data'] as JsonObject), ['one', 'two', 'three']);
  assert.deepEqual(log.splice(0), [
    'one mutate CREATE new',
    'two mutate CREATE new',
    'three mutate CREATE new',
    'one validate CREATE object/-',
    'two validate CREATE object/-',
    'three validate CREATE object/-',
  ]);
  await harness.patch(`${maps}/a`, 'merge', { data: { x: 'y' } });
  assert.equal(log.splice(0)[0], 'one mutate UPDATE old');
  await harness.delete(`${maps}/a`);
  assert.deepEqual(log.splice(0), [
    'one mutate DELETE old',
    'two mutate DELETE old',
    'three mutate DELETE old',
    'one validate DELETE -/a',
    'two validate DELETE -/a',
    'three validate DELETE -/a',
  ]);
  await assert.rejects(
    harness.post(maps, map('b', { metadata: { name: 'b', labels: { refuse: 'two' } } })),
    apiError('BadRequest', 'two says no'),
  );
  await assert.rejects(harness.get(`${maps}/b`), apiError('NotFound'));
});

for (const later of [false, true]) {
  test(`a plugin that only looks is asked before validation, with others or alone, ${later ? 'later' : 'at once'}`, async () => {
    const log: string[] = [];
    let isAlone = true;
    await using harness = await Harness.open({
      plugins: () => {
        const recorder = new Recorder('changer', log, false);
        const looker: AdmissionPlugin = {
          name: 'looker',
          looksOnly: true,
          handles: ({ context }) => context.served.definition.resource === 'configmaps',
          mutate: ({ operation }) => {
            log.push(`looker ${operation}`);
            const refuse = () => {
              throw badRequest('the looker says no');
            };
            return later ? Promise.resolve().then(refuse) : refuse();
          },
        };
        return [
          {
            ...looker,
            handles: (attributes) => attributes.operation !== 'DELETE' && looker.handles(attributes),
          },
          {
            name: 'changer',
            handles: (attributes) => !isAlone && recorder.handles(attributes),
            mutate: (attributes) => recorder.mutate(attributes),
          },
        ];
      },
    });
    for (isAlone of [true, false]) {
      // Wrong in itself: what a looker says comes first.
      const wrong = map('a', { data: { 'no key': 'x' } });
      await assert.rejects(harness.post(maps, wrong), apiError('BadRequest', 'the looker says no'));
      assert.deepEqual(log.splice(0), ['looker CREATE']);
    }
  });
}

test('a plugin that changes an object in place reaches neither the old one nor a no-op check (C5)', async () => {
  class Toucher implements AdmissionPlugin {
    readonly name = 'Toucher';
    handles({ operation, context }: AdmissionAttributes): boolean {
      return operation === 'UPDATE' && context.served.definition.resource === 'widgets';
    }
    mutate({ object }: AdmissionAttributes): undefined {
      const status = object?.['status'] as JsonObject | undefined;
      if (status !== undefined) status['ready'] = 99;
      return undefined;
    }
  }
  await using harness = await Harness.open({ definitions: [widgets()], plugins: () => [new Toucher()] });
  const url = '/apis/example.com/v1/namespaces/default/widgets';
  await harness.post(url, {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: {},
  });
  const status = await harness.patch(`${url}/w/status`, 'merge', { status: { ready: 1 } });
  assert.deepEqual(status.object['status'], { ready: 99 });
});

test('a namespace that the workspace owes is made before it is missed (S1)', async () => {
  const asked: string[] = [];
  await using harness = await Harness.open({
    plugins: (storage) => [
      new NamespaceLifecycle({
        storage,
        ensure: (_, namespace) => {
          asked.push(namespace);
          return undefined;
        },
      }),
    ],
  });
  await harness.post(maps, map('a'));
  assert.deepEqual(asked, [], 'not asked for one that is there');
});

test('bindings are the scheduler’s alone', async () => {
  const bindings = {
    ...widgets({ resource: 'gadgets', defaults: false }),
    group: 'work.karmada.io',
    resource: 'resourcebindings',
    kind: 'ResourceBinding',
    storedAs: { group: 'work.karmada.io', resource: 'resourcebindings' },
  };
  await using harness = await Harness.open({ definitions: [bindings], plugins: () => [new BindingWriter()] });
  const url = '/apis/work.karmada.io/v1/namespaces/default/resourcebindings';
  const body = (name: string) => ({
    apiVersion: 'work.karmada.io/v1',
    kind: 'ResourceBinding',
    metadata: { name },
  });
  const user = (name: string, ...groups: string[]) => ({ name, groups, extra: new Map() });
  const refused = apiError('Forbidden', /only system:cellplane:scheduler writes bindings/, 403);
  const admin = { user: user('admin', 'system:masters') };
  await assert.rejects(harness.post(url, body('b'), admin), refused);
  await harness.post(url, body('b'), { user: user(schedulerUserName) });
  await assert.rejects(harness.send('DELETE', `${url}/b`, admin), refused);
  await assert.rejects(
    harness.send('PATCH', `${url}/b`, {
      ...admin,
      body: { spec: { size: 2 } },
      contentType: 'application/merge-patch+json',
    }),
    refused,
  );
  assert.equal((await harness.send('GET', `${url}/b`, admin)).code, 200);
  await harness.delete(`${url}/b`);
});
