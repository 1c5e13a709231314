import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '#apimachinery/json.ts';
import { isPlainPod } from './plain-pods.ts';
import { warningsOf } from './pod-warnings.ts';

const few = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
/** Few of the fields: what has all of them is never plain. */
const some = (fields: { [field: string]: fc.Arbitrary<unknown> }) =>
  fc
    .tuple(
      fc.record(fields),
      fc.subarray(Object.keys(fields), { maxLength: Math.min(2, Object.keys(fields).length) }),
    )
    .map(([all, kept]) => Object.fromEntries(kept.map((field) => [field, all[field]])));
const list = (items: fc.Arbitrary<unknown>) => fc.array(items, { maxLength: 3 });

const amounts = some({
  cpu: few('100m'),
  memory: few('64Mi', '1', '1.5', '500m', '1k', '2E', '1e3', '0.5Gi'),
  'ephemeral-storage': few('1Gi', '1500u'),
});
const port = some({
  name: few('http', 'metrics', ''),
  containerPort: few(80, 81),
  protocol: few('TCP', 'UDP'),
  hostPort: few(0, 80),
  hostIP: few('', '10.0.0.1'),
});
const container = some({
  name: few('a', 'b'),
  image: few('i'),
  env: list(some({ name: few('A', 'B', 'C'), value: few('1', '$(A)'), valueFrom: few({}) })),
  ports: list(port),
  resources: some({ limits: amounts, requests: amounts }),
  securityContext: some({ seccompProfile: few({}), appArmorProfile: few({}) }),
});
const volume = some({
  name: few('v', 'w'),
  emptyDir: few({}),
  gitRepo: few({}),
  configMap: some({ name: few('m'), items: list(some({ path: few('a', 'a/b') })) }),
  secret: some({ secretName: few('s'), items: list(some({ path: few('a', 'a/b') })) }),
  projected: some({ sources: list(some({ secret: few({}) })) }),
  ephemeral: few({ volumeClaimTemplate: { spec: { resources: { requests: { storage: '1500m' } } } } }),
});
const term = few({}, { labelSelector: {} }, { topologyKey: 'beta.kubernetes.io/os' });
const containers = fc.array(container, { minLength: 1, maxLength: 2 });
const others = some({
  initContainers: list(container),
  volumes: list(volume),
  terminationGracePeriodSeconds: few(-1, 0, 30),
  nodeSelector: some({ a: few('b'), 'beta.kubernetes.io/os': few('linux') }),
  imagePullSecrets: list(some({ name: few('a', 'b', '') })),
  hostAliases: list(some({ ip: few('10.0.0.1', '010.0.0.1') })),
  overhead: amounts,
  dnsConfig: some({ nameservers: list(few('10.0.0.1', '010.0.0.1')) }),
  topologySpreadConstraints: list(term),
  affinity: some({
    podAffinity: some({ requiredDuringSchedulingIgnoredDuringExecution: list(term) }),
  }),
  securityContext: some({ appArmorProfile: few({}) }),
  priorityClassName: few('high'),
});
const spec = fc.tuple(containers, others).map(([list, more]) => ({ containers: list, ...more }));
const annotations = some({
  'prometheus.io/scrape': few('true'),
  'scheduler.alpha.kubernetes.io/critical-pod': few(''),
  'seccomp.security.alpha.kubernetes.io/pod': few('x'),
  'container.apparmor.security.beta.kubernetes.io/a': few('unconfined'),
  'container.seccomp.security.alpha.kubernetes.io/a': few('x'),
});

test('of a pod that is taken for plain there is nothing to tell', () => {
  let plain = 0;
  fc.assert(
    fc.property(spec, annotations, (oneSpec, ofPod) => {
      const [given, notes] = [oneSpec as JsonObject, ofPod as JsonObject];
      if (!isPlainPod(given, notes)) return;
      plain++;
      assert.deepEqual(warningsOf('spec.template', given, notes), []);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(plain > 0);
});

test('what nearly every pod has is plain', () => {
  const usual = {
    containers: [
      {
        name: 'a',
        image: 'i',
        env: [{ name: 'A', value: '1' }, { name: 'B' }],
        ports: [
          { name: 'http', containerPort: 80, protocol: 'TCP' },
          { name: 'metrics', containerPort: 81, protocol: 'TCP' },
        ],
        resources: { limits: { cpu: '1', memory: '64Mi' }, requests: {} },
      },
    ],
    volumes: [
      { name: 'v', emptyDir: {} },
      { name: 'w', configMap: { name: 'm' } },
    ],
    terminationGracePeriodSeconds: 30,
    serviceAccountName: 'default',
  };
  assert.equal(isPlainPod(usual, { 'prometheus.io/scrape': 'true' }), true);
});
