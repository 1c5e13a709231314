import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import { type EventFacts, eventFactsOf, eventForm, groupOf } from './event-facts.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');
const event = (fields: Partial<KubeObject> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e', namespace: 'ns', uid: 'u', resourceVersion: '1' },
  involvedObject: { kind: 'Deployment', name: 'web', namespace: 'ns', uid: 'd' },
  type: 'Warning',
  reason: 'Failed',
  message: 'no',
  source: { component: 'controller' },
  lastTimestamp: formatTime(nowMs - 1_000),
  ...fields,
});
const facts = (fields: Partial<KubeObject> = {}) => eventFactsOf(event(fields), nowMs);

test('Events that say the same have one name, whatever their own; others have another', () => {
  const { said } = facts() as EventFacts;
  assert.match(said, /^web\.[a-z2-7]{16}$/);
  assert.equal(facts({ metadata: { name: 'f', namespace: 'ns' }, count: 7 })?.said, said);
  for (const other of [
    { reason: 'Other' },
    { type: 'Normal' },
    { message: 'yes' },
    { source: { component: 'kubelet' } },
    { involvedObject: { kind: 'Deployment', name: 'web', namespace: 'ns', uid: 'e' } },
  ]) {
    assert.notEqual(facts(other)?.said, said, JSON.stringify(other));
  }
});

test('a name that no Event may have is made one that it may', () => {
  assert.match(
    facts({ involvedObject: { kind: 'Role', name: 'System:Node.' } })?.said ?? '',
    /^system-node\./,
  );
  assert.match(facts({ involvedObject: { kind: 'Role', name: ':' } })?.said ?? '', /^event\./);
  assert.ok((facts({ involvedObject: { name: 'x'.repeat(253) } })?.said.length ?? 999) < 220);
});

test('an hour after it was said last an Event is old; a clock that is ahead gains nothing', () => {
  const at = (ms: number) => formatTime(nowMs + ms);
  assert.equal(facts({ lastTimestamp: at(-3_600_000) }), undefined);
  assert.ok(facts({ lastTimestamp: at(-3_599_000) }));
  assert.equal(facts({ lastTimestamp: at(7_200_000) })?.lastMs, nowMs);
  const series = { count: 3, lastObservedTime: at(-2_000) };
  const modern = facts({ lastTimestamp: null, eventTime: at(-7_200_000), series });
  assert.deepEqual([modern?.lastMs, modern?.firstMs, modern?.count], [nowMs - 2_000, nowMs - 7_200_000, 3]);
});

test('a group has the newest one’s words, the sum of the counts, and the times of all', () => {
  const older = facts({ count: 2, firstTimestamp: formatTime(nowMs - 60_000) }) as EventFacts;
  const newer = facts({
    lastTimestamp: formatTime(nowMs),
    metadata: { name: 'n', namespace: 'ns' },
  }) as EventFacts;
  const group = groupOf([older, newer]);
  assert.equal(group?.newest.metadata.name, 'n');
  assert.deepEqual([group?.count, group?.firstMs, group?.lastMs], [3, nowMs - 60_000, nowMs]);
  assert.equal(groupOf([]), undefined);
  if (group === undefined) return;
  const form = eventForm(event({ eventTime: formatTime(nowMs), action: 'x', related: {} }), 'said', group);
  assert.deepEqual(Object.keys(form).sort(), [
    'apiVersion',
    'count',
    'firstTimestamp',
    'involvedObject',
    'kind',
    'lastTimestamp',
    'message',
    'metadata',
    'reason',
    'reportingComponent',
    'reportingInstance',
    'source',
    'type',
  ]);
  assert.equal(form['count'], 3);
});
