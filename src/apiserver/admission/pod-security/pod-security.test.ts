import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from '../../verbs/testing/harness.ts';
import { evaluatePod, findingsText } from './evaluate.ts';
import { PodSecurity } from './pod-security.ts';
import { levelText, policyOf } from './policy.ts';

const pods = '/api/v1/namespaces/default/pods';
const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;
const container = (more: JsonObject = {}): JsonObject => ({ name: 'c', image: 'i', ...more });
const secured = (securityContext: JsonObject): JsonObject => ({
  containers: [container({ securityContext })],
});
const restricted: JsonObject = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Level, minor version, pod's spec, what is found: as k8s.io/pod-security-admission/policy tells it. */
const rows: readonly (readonly ['baseline' | 'restricted', number | 'latest', JsonObject, string])[] = [
  ['restricted', 'latest', secured(restricted), ''],
  ['baseline', 'latest', { containers: [container()] }, ''],
  [
    'baseline',
    'latest',
    { hostPID: true, hostNetwork: true, containers: [container()] },
    'host namespaces (hostNetwork=true, hostPID=true)',
  ],
  [
    'baseline',
    'latest',
    { containers: [container({ ports: [{ hostPort: 80 }, { hostPort: 443 }] })] },
    'hostPort (container "c" uses hostPorts 443, 80)',
  ],
  [
    'baseline',
    'latest',
    secured({ privileged: true, capabilities: { add: ['NET_ADMIN', 'CHOWN'] }, procMount: 'Unmasked' }),
    'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add), privileged (container "c" must not set securityContext.privileged=true), procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  ['baseline', 'latest', { hostUsers: false, ...secured({ procMount: 'Unmasked' }) }, ''],
  [
    'baseline',
    34,
    { hostUsers: false, ...secured({ procMount: 'Unmasked' }) },
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'baseline',
    'latest',
    { volumes: [{ name: 'v', hostPath: { path: '/' } }], containers: [container()] },
    'hostPath volumes (volume "v")',
  ],
  [
    'baseline',
    'latest',
    { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] }, containers: [container()] },
    '',
  ],
  [
    'baseline',
    31,
    { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] }, containers: [container()] },
    'forbidden sysctls (net.ipv4.tcp_rmem)',
  ],
  [
    'baseline',
    30,
    secured({ seLinuxOptions: { type: 'container_engine_t', user: 'u' } }),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "container_engine_t"; user may not be set)',
  ],
  [
    'baseline',
    'latest',
    { containers: [container({ livenessProbe: { httpGet: { host: 'h' } } })] },
    'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
  ],
  ['baseline', 33, { containers: [container({ livenessProbe: { httpGet: { host: 'h' } } })] }, ''],
  [
    'baseline',
    'latest',
    {
      securityContext: { appArmorProfile: { type: 'Unconfined' }, windowsOptions: { hostProcess: true } },
      containers: [container()],
    },
    'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined"), hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
  ],
  [
    'restricted',
    'latest',
    { volumes: [{ name: 'v', nfs: {} }], containers: [container(), { name: 'd' }] },
    'allowPrivilegeEscalation != false (containers "c", "d" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers "c", "d" must set securityContext.capabilities.drop=["ALL"]), restricted volume types (volume "v" uses restricted volume type "nfs"), runAsNonRoot != true (pod or containers "c", "d" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers "c", "d" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
  [
    'restricted',
    'latest',
    secured({ ...restricted, runAsUser: 0, runAsNonRoot: false, seccompProfile: { type: 'Unconfined' } }),
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false), runAsUser=0 (container "c" must not set runAsUser=0), seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    'restricted',
    7,
    { containers: [container()] },
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
  ],
];

test('levels refuse what the Pod Security Standards refuse, in Kubernetes’ words', () => {
  for (const [level, version, spec, expected] of rows) {
    const found = evaluatePod({ level, version }, { annotations: {}, spec });
    assert.equal(findingsText(found), expected, `${level} ${version} ${JSON.stringify(spec)}`);
  }
});

test('labels of a namespace say the policy (PolicyToEvaluate)', () => {
  const texts = (labels: { [mode: string]: string }) => {
    const full = Object.fromEntries(Object.entries(labels).map(([mode, value]) => [label(mode), value]));
    const { policy, errors } = policyOf(full);
    const { enforce, audit, warn } = policy;
    return [levelText(enforce), levelText(audit), levelText(warn), ...errors.map(({ message }) => message)];
  };
  assert.deepEqual(texts({}), ['privileged:latest', 'privileged:latest', 'privileged:latest']);
  assert.deepEqual(
    texts({ enforce: 'baseline', 'enforce-version': 'v1.30' }),
    ['baseline:v1.30', 'privileged:latest', 'baseline:v1.30'],
    'who enforces is warned',
  );
  assert.deepEqual(texts({ enforce: 'x', 'warn-version': '1' }), [
    'restricted:latest',
    'privileged:latest',
    'privileged:latest',
    'Invalid value: "x": must be one of privileged, baseline, restricted',
    'Invalid value: "1": must be "latest" or "v1.x"',
  ]);
});

test('pods are refused, templates warned of, existing pods told when a namespace becomes stricter', async () => {
  await using harness = await Harness.open({
    plugins: (storage) => [new PodSecurity(storage)],
    workspaces: [{ id: 'cell' as never, inert: true, type: 'cell' }],
  });
  const pod = (name: string, spec: JsonObject = { containers: [container()] }): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec,
  });
  const deployment: JsonObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { hostPID: true, containers: [container()] },
      },
    },
  };
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  await harness.post(pods, pod('bad', { hostPID: true, containers: [container()] }));
  await harness.post(pods, pod('worse', { hostPID: true, containers: [container()] }));
  assert.deepEqual((await harness.post(`${deployments}?dryRun=All`, deployment)).warnings, []);
  const setLevel = (level: string) =>
    harness.patch('/api/v1/namespaces/default', 'merge', {
      metadata: { labels: { [label('enforce')]: level } },
    });
  await assert.rejects(setLevel('none'), apiError('Invalid', /must be one of privileged, baseline/, 422));
  assert.deepEqual((await setLevel('baseline')).warnings, [
    'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
    'bad (and 1 other pod): host namespaces',
  ]);
  await assert.rejects(
    harness.post(pods, pod('other', { hostPID: true, containers: [container()] })),
    apiError('Forbidden', /violates PodSecurity "baseline:latest": host namespaces \(hostPID=true\)$/, 403),
  );
  const warned = await harness.post(deployments, deployment);
  assert.deepEqual(warned.warnings, [
    'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  ]);
  const labelled = await harness.patch(`${pods}/bad`, 'merge', { metadata: { labels: { a: 'b' } } });
  assert.equal(labelled.code, 200, 'what is there stays, while its images do');
  await assert.rejects(
    harness.patch(`${pods}/bad`, 'strategic', { spec: { containers: [{ name: 'c', image: 'j' }] } }),
    apiError('Forbidden', /violates PodSecurity/),
  );
});
