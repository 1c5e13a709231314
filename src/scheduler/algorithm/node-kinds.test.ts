import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { NodeKind, NodeKinds } from './cell.ts';
import { nodeDemandOf } from './node-demand.ts';
import { everyKind, kindsFor, meeting, ruledOutText } from './node-kinds.ts';

const kind = (labels: Readonly<Record<string, string>>, ...taints: string[]): NodeKind => ({
  labels: new Map(Object.entries(labels)),
  taints: taints.map((text) => {
    const [, key = '', value = '', effect = ''] = /^([^=:]+)(?:=([^:]*))?:(.+)$/.exec(text) ?? [];
    return { key, value, effect };
  }),
});

function kindsOf(untold: readonly string[], ...kinds: NodeKind[]): NodeKinds {
  return { kinds, untold: new Set(untold), text: '' };
}

const required = (...nodeSelectorTerms: JsonObject[]): JsonObject => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const expression = (key: string, operator: string, ...values: string[]): JsonObject =>
  required({ matchExpressions: [{ key, operator, values }] });

const ssd = kind({ disk: 'ssd', size: '8' });
const hdd = kind({ disk: 'hdd' });
const bare = kind({});
const own = kind({ disk: 'ssd' }, 'dedicated=db:NoSchedule');
const failing = kind({}, 'broken:NoExecute');

/** Which of ssd, hdd, bare, own and failing are left, as letters. */
function allowed(pod: JsonObject, untold: readonly string[] = []): string {
  const mask = kindsFor(kindsOf(untold, ssd, hdd, bare, own, failing), nodeDemandOf(pod));
  return [...'shbof'].filter((_, i) => (mask & (1 << i)) !== 0).join('');
}

// component-helpers scheduling/corev1: nodeaffinity.GetRequiredNodeAffinity, helpers.FindMatchingUntoleratedTaint;
// apimachinery labels.Requirement.Matches.
for (const [what, pod, left] of [
  ['who asks for nothing runs where no taint is', {}, 'shb'],
  ['a selector', { nodeSelector: { disk: 'ssd' } }, 's'],
  ['a selector with several labels: all of them', { nodeSelector: { disk: 'ssd', size: '9' } }, ''],
  ['an empty selector', { nodeSelector: {} }, 'shb'],
  ['In', expression('disk', 'In', 'ssd', 'nvme'), 's'],
  ['NotIn, true of what is not there', expression('disk', 'NotIn', 'ssd'), 'hb'],
  ['Exists', expression('disk', 'Exists'), 'sh'],
  ['DoesNotExist', expression('disk', 'DoesNotExist'), 'b'],
  ['Gt', expression('size', 'Gt', '7'), 's'],
  ['Gt is not equal', expression('size', 'Gt', '8'), ''],
  ['Lt', expression('size', 'Lt', '9'), 's'],
  ['Lt of what is no number', expression('disk', 'Lt', '9'), ''],
  ['Gt by what is no number', expression('size', 'Gt', 'x'), ''],
  ['a name that objects have by themselves', expression('constructor', 'Exists'), ''],
  [
    'terms: any of them',
    required(
      { matchExpressions: [{ key: 'disk', operator: 'In', values: ['hdd'] }] },
      { matchExpressions: [{ key: 'size', operator: 'Exists' }] },
    ),
    'sh',
  ],
  [
    'expressions of a term: all of them',
    required({
      matchExpressions: [
        { key: 'disk', operator: 'Exists' },
        { key: 'size', operator: 'DoesNotExist' },
      ],
    }),
    'h',
  ],
  ['an empty term holds nowhere', required({}), ''],
  ['nor do no terms', required(), ''],
  [
    'selector and affinity: both',
    { ...expression('size', 'DoesNotExist'), nodeSelector: { disk: 'ssd' } },
    '',
  ],
  [
    'a name may be any node’s',
    required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }),
    'shb',
  ],
  [
    'a name and a label',
    required({
      matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }],
      matchExpressions: [{ key: 'disk', operator: 'In', values: ['hdd'] }],
    }),
    'h',
  ],
  [
    'what is preferred rules out nothing',
    { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } } },
    'shb',
  ],
  ['a tolerated taint', { tolerations: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] }, 'shbo'],
  ['another value', { tolerations: [{ key: 'dedicated', value: 'web' }] }, 'shb'],
  ['another effect', { tolerations: [{ key: 'broken', operator: 'Exists', effect: 'NoSchedule' }] }, 'shb'],
  ['for a time', { tolerations: [{ key: 'broken', operator: 'Exists', tolerationSeconds: 1 }] }, 'shbf'],
  ['everything', { tolerations: [{ operator: 'Exists' }] }, 'shbof'],
] as const satisfies readonly (readonly [string, JsonObject, string])[]) {
  test(`nodes that a replica may run on: ${what}`, () => assert.equal(allowed(pod), left));
}

for (const [what, pod, untold, left] of [
  ['a selector', { nodeSelector: { rack: '7' } }, ['rack'], 'shb'],
  ['of others it is known that they are not there', { nodeSelector: { rack: '7' } }, ['row'], ''],
  ['any', { nodeSelector: { rack: '7' } }, ['*'], 'shb'],
  ['what is told counts', { nodeSelector: { disk: 'ssd' } }, ['*'], 'sb'],
  ['DoesNotExist', expression('rack', 'DoesNotExist'), ['rack'], 'shb'],
] as const satisfies readonly (readonly [string, JsonObject, readonly string[], string])[]) {
  test(`labels that are not told are taken to be as asked: ${what}`, () =>
    assert.equal(allowed(pod, untold), left));
}

test('a cell that tells no kinds has all', () => {
  assert.equal(kindsFor(undefined, nodeDemandOf({ nodeSelector: { disk: 'ssd' } })), everyKind);
});

test('replicas meet where there is a kind of nodes for both', () => {
  const kinds = kindsOf([], ssd, hdd, own);
  const onSsd = nodeDemandOf({ nodeSelector: { disk: 'ssd' } });
  const onHdd = nodeDemandOf({ nodeSelector: { disk: 'hdd' } });
  assert.equal(meeting(kinds, onSsd)(onHdd), false);
  assert.equal(meeting(kinds, onSsd)(undefined), true);
  assert.equal(meeting(undefined, onSsd)(onHdd), true);
});

test('what is ruled out is told with its causes', () => {
  const nodeKinds = kindsOf([], ssd, hdd, own);
  const free = new Map<string, number>();
  const nodeRoom = [
    { nodes: 2, free, kind: 0 },
    { nodes: 3, free, kind: 1 },
    { nodes: 1, free, kind: 2 },
    { nodes: 1, free, kind: undefined },
  ];
  const onSsd = nodeDemandOf({ nodeSelector: { disk: 'ssd' } });
  assert.equal(
    ruledOutText({ nodeRoom, nodeKinds }, onSsd),
    '4 of 7 nodes are ruled out: 3 by nodeSelector disk=ssd, 1 by taint dedicated=db:NoSchedule',
  );
  assert.equal(
    ruledOutText({ nodeRoom, nodeKinds }, undefined),
    '1 of 7 nodes are ruled out by taint dedicated=db:NoSchedule',
  );
  assert.equal(ruledOutText({ nodeRoom, nodeKinds: kindsOf([], ssd, hdd, bare) }, undefined), '');
});
