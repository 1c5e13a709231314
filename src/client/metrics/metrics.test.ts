import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { Histogram } from '#apimachinery/histogram.ts';
import { ScriptedClient } from '../testing/scripted-client.ts';
import { meteredClient } from './metered-client.ts';
import { MetricText } from './metric-text.ts';
import { outcomeOf, RequestMetrics } from './request-metrics.ts';

test('samples of one name stand together, with help, type and escaped labels', () => {
  const text = new MetricText();
  const labelled = text.withLabels({ federation: 'a:1' });
  text.gauge('x', 'What x is.', 1, { cell: 'a"b\\c\nd' });
  text.counter('y_total', 'Counts y.', 2);
  labelled.gauge('x', 'What x is.', 0.5, { cell: 'b' });
  assert.equal(
    text.toString(),
    [
      '# HELP x What x is.',
      '# TYPE x gauge',
      'x{cell="a\\"b\\\\c\\nd"} 1',
      'x{federation="a:1",cell="b"} 0.5',
      '# HELP y_total Counts y.',
      '# TYPE y_total counter',
      'y_total 2',
      '',
    ].join('\n'),
  );
  assert.equal(new MetricText().toString(), '');
});

test('a histogram is told cumulatively, with sum and count', () => {
  const histogram = new Histogram([0.1, 1]);
  for (const seconds of [0.1, 0.5, 7]) histogram.observe(seconds);
  const text = new MetricText();
  text.histogram('t_seconds', 'Time.', histogram, { cell: 'a' });
  const lines = text.toString().split('\n').slice(2, 7);
  assert.deepEqual(lines, [
    't_seconds_bucket{cell="a",le="0.1"} 1',
    't_seconds_bucket{cell="a",le="1"} 2',
    't_seconds_bucket{cell="a",le="+Inf"} 3',
    't_seconds_sum{cell="a"} 7.6',
    't_seconds_count{cell="a"} 3',
  ]);
});

test('requests are counted by what came of them', async () => {
  const metrics = new RequestMetrics();
  const client = meteredClient(new ScriptedClient().client, metrics);
  const ref = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'pods' } };
  await client.list(ref);
  await assert.rejects(client.get({ ...ref, name: 'x' }));
  const text = new MetricText();
  metrics.write(text, 'p', 'a server');
  assert.match(
    text.toString(),
    /p_requests_total\{outcome="ok"\} 1\np_requests_total\{outcome="refused"\} 1\n/,
  );
  assert.match(text.toString(), /p_request_duration_seconds_count 2/);
  assert.equal(outcomeOf(new ApiError('Timeout', 'x', { cause: new Error('y') })), 'unanswered');
  assert.equal(outcomeOf(new ApiError('ServiceUnavailable', 'x')), 'refused');
  assert.equal(outcomeOf(new TypeError('x')), 'unanswered');
});
