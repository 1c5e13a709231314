import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { federationGroup } from '#api/federation/group.ts';
import { workGroup } from '#api/work/group.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../admission/admission.ts';
import { AdmissionChain } from '../admission/admission-chain.ts';
import { AdmissionMetrics } from '../admission/admission-metrics.ts';
import { admissionPlugins } from './admission-plugins.ts';

const operations: readonly AdmissionOperation[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'];
const subresources = ['', 'status', 'approval', 'binding', 'resize', 'scale'];

/** Nothing of a plugin is asked here but whether it handles a request. */
const unused = {} as never;
const plugins = admissionPlugins({
  storage: unused,
  lifecycle: undefined,
  firstTouch: unused,
  authorization: unused,
  webhookCaller: unused,
  isAudited: false,
  metrics: new AdmissionMetrics(),
});

const definitions: readonly Pick<ResourceDefinition, 'group' | 'resource' | 'origin'>[] = [
  ...builtinDefinitions(),
  { group: workGroup, resource: 'resourcebindings', origin: 'system' },
  { group: federationGroup, resource: 'templaterevisions', origin: 'system' },
  { group: federationGroup, resource: 'returnpolicies', origin: 'system' },
  { group: federationGroup, resource: 'cells', origin: 'system' },
];

function attributesOf(
  definition: (typeof definitions)[number],
  operation: AdmissionOperation,
  subresource: string,
): AdmissionAttributes {
  const object = {
    apiVersion: 'v1',
    kind: 'Any',
    metadata: {
      name: 'a',
      annotations: { 'container.apparmor.security.beta.kubernetes.io/a': 'runtime/default' },
    },
    spec: { runtimeClassName: 'a', priorityClassName: 'a' },
  } as unknown as KubeObject;
  const context = {
    served: { definition, version: { version: 'v1' } },
    workspace: { id: 'a', type: 'project', inert: false },
    user: { name: 'jane', groups: [] },
    subresource,
    namespace: 'default',
    name: 'a',
  };
  return {
    context: context as unknown as AdmissionAttributes['context'],
    operation,
    object,
    oldObject: object,
    dryRun: false,
  };
}

test('a plugin handles no kind beside those that it names', () => {
  const handled = new Map<string, Set<string>>();
  for (const plugin of plugins) {
    const { name, kinds } = plugin;
    if (kinds === undefined) continue;
    const found = new Set<string>();
    handled.set(name, found);
    for (const definition of definitions) {
      const { group, resource } = definition;
      const isNamed = kinds.some(
        (one) => one.group === group && (one.resource === '*' || one.resource === resource),
      );
      for (const operation of operations) {
        for (const subresource of subresources) {
          if (!plugin.handles(attributesOf(definition, operation, subresource))) continue;
          assert.ok(isNamed, `${name} handles ${operation} of ${resource}.${group}/${subresource}`);
          found.add(`${resource}.${group}`);
        }
      }
    }
  }
  // Of each there is something that it handles: else nothing was found out about it.
  for (const [name, found] of handled) assert.notEqual(found.size, 0, name);
  assert.ok(handled.size >= 15);
});

test('who handles a kind is asked, whichever kind was asked for before', async () => {
  const asked: string[] = [];
  const plugin = (name: string, resource: string) => ({
    name,
    kinds: [{ group: '', resource }],
    handles: () => true,
    mutate: () => {
      asked.push(name);
      return undefined;
    },
  });
  const chain = new AdmissionChain([plugin('a', 'pods'), plugin('b', 'nodes'), plugin('c', '*')]);
  for (const resource of ['pods', 'nodes', 'services']) {
    const attributes = attributesOf({ group: '', resource, origin: 'builtin' }, 'CREATE', '');
    asked.push(resource);
    assert.equal(chain.mutates(attributes), true);
    await chain.mutate(attributes);
  }
  assert.deepEqual(asked, ['pods', 'a', 'c', 'nodes', 'b', 'c', 'services', 'c']);
});

test('how long admission takes is counted by step, operation and outcome', async () => {
  const refuse = (): never => {
    throw new Error('no');
  };
  const plugin = (name: string, rest: Partial<AdmissionPlugin>): AdmissionPlugin => ({
    name,
    kinds: [{ group: '', resource: name }],
    handles: () => true,
    ...rest,
  });
  const metrics = new AdmissionMetrics();
  const chain = new AdmissionChain(
    [
      plugin('pods', { mutate: () => Promise.resolve(), validate: () => Promise.reject(new Error('no')) }),
      plugin('nodes', { validate: refuse }),
    ],
    metrics,
  );
  const pods = attributesOf({ group: '', resource: 'pods', origin: 'builtin' }, 'CREATE', '');
  await chain.mutate(pods);
  await assert.rejects(async () => chain.validate(pods), /no/);
  const nodes = attributesOf({ group: '', resource: 'nodes', origin: 'builtin' }, 'UPDATE', '');
  assert.equal(chain.mutate(nodes), undefined);
  assert.throws(() => chain.validate(nodes), /no/);
  const text = new MetricText();
  metrics.render(text);
  const name = 'apiserver_admission_step_admission_duration_seconds';
  const counts = [...text.toString().matchAll(new RegExp(`^${name}_count\\{(.*)\\} (\\d+)$`, 'gm'))];
  assert.deepEqual(
    counts.map(([, labels, count]) => `${labels} ${count}`),
    [
      'operation="CREATE",rejected="false",type="admit" 1',
      'operation="UPDATE",rejected="false",type="admit" 1',
      'operation="CREATE",rejected="true",type="validate" 1',
      'operation="UPDATE",rejected="true",type="validate" 1',
    ],
  );
  const byName = /^apiserver_admission_controller_admission_duration_seconds_count\{(.*)\} (\d+)$/gm;
  assert.deepEqual(
    [...text.toString().matchAll(byName)].map(([, labels, count]) => `${labels} ${count}`),
    [
      'name="pods",operation="CREATE",rejected="false",type="admit" 1',
      'name="pods",operation="CREATE",rejected="true",type="validate" 1',
      'name="nodes",operation="UPDATE",rejected="true",type="validate" 1',
    ],
  );
});
