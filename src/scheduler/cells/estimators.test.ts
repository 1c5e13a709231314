import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import { cell } from '../algorithm/testing/cells.ts';
import { type EstimateQuestion, Estimators, type UnschedulableQuestion } from './estimators.ts';

const question: EstimateQuestion = {
  apiVersion: 'federation.cellplane.io/v1alpha1',
  kind: 'EstimateRequest',
  request: { cpu: 0.5 },
};

async function listen(answer: string | undefined, asked: string[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8');
    });
    request.on('end', () => {
      asked.push(body);
      if (answer !== undefined) response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/estimate` };
}

test('an estimator that hangs or lies costs its own cell alone, and is left alone for a while', async () => {
  const asked: string[] = [];
  const good = await listen('{"replicas": 7}', asked);
  const hanging = await listen(undefined, []);
  const lies: string[] = [];
  const lying = await listen('{"replicas": "many"}', lies);
  const estimators = new Estimators(new ManualClock(), silentLogger);
  try {
    const cells = [
      cell('good', { estimator: { url: good.url, timeoutMs: 60_000 } }),
      cell('hanging', { estimator: { url: hanging.url, timeoutMs: 50 } }),
      cell('lying', { estimator: { url: lying.url, timeoutMs: 60_000 } }),
      cell('none'),
    ];
    const { signal } = new AbortController();
    assert.deepEqual([...(await estimators.ask(cells, question, signal))], [['good', 7]]);
    assert.deepEqual([...(await estimators.ask(cells, question, signal))], [['good', 7]]);
    assert.deepEqual(
      asked.map((body) => JSON.parse(body)),
      [question],
      'an answer is taken for true a while',
    );
    assert.equal(lies.length, 1);
    estimators.renew('good');
    await estimators.ask(cells, question, signal);
    assert.equal(asked.length, 2, 'what changed in the cell is asked for anew');
  } finally {
    await estimators.close();
    for (const { server } of [good, hanging, lying]) {
      server.closeAllConnections();
      server.close();
    }
  }
});

test('replicas without a node are asked for apart: an estimator that does not know the question goes on saying what fits', async () => {
  const asked: string[] = [];
  const old = await listen('{"replicas": 7}', asked);
  const able = await listen('{"unschedulableReplicas": 2}', []);
  const estimators = new Estimators(new ManualClock(), silentLogger);
  const unschedulable: UnschedulableQuestion = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'UnschedulableRequest',
    resource: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'n', name: 'web' },
    afterSeconds: 300,
  };
  try {
    const cells = [
      cell('old', { estimator: { url: old.url, timeoutMs: 60_000 } }),
      cell('able', { estimator: { url: able.url, timeoutMs: 60_000 } }),
    ];
    const { signal } = new AbortController();
    for (let times = 0; times < 2; times++)
      assert.deepEqual([...(await estimators.ask(cells, unschedulable, signal))], [['able', 2]]);
    assert.deepEqual([...(await estimators.ask(cells.slice(0, 1), question, signal))], [['old', 7]]);
    assert.deepEqual(
      asked.map((body) => (JSON.parse(body) as { kind: string }).kind),
      ['UnschedulableRequest', 'EstimateRequest'],
    );
  } finally {
    await estimators.close();
    for (const { server } of [old, able]) {
      server.closeAllConnections();
      server.close();
    }
  }
});

test('one whose connection breaks is asked no second time', async () => {
  let asked = 0;
  const server = createServer((request) => {
    asked++;
    request.socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const estimators = new Estimators(new ManualClock(), silentLogger);
  try {
    const broken = cell('broken', { estimator: { url, timeoutMs: 60_000 } });
    const answers = await estimators.ask([broken], question, new AbortController().signal);
    assert.deepEqual([asked, answers.size], [1, 0]);
  } finally {
    await estimators.close();
    server.close();
  }
});

test('an estimator that was not heard because this process was held up is asked once more', async () => {
  const clock = new ManualClock();
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    if (++asked > 1) response.end('{"replicas": 7}');
    else {
      clock.advance(120_000);
      request.socket.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const estimators = new Estimators(clock, silentLogger);
  try {
    const held = cell('held', { estimator: { url, timeoutMs: 60_000 } });
    const answers = await estimators.ask([held], question, new AbortController().signal);
    assert.deepEqual([asked, [...answers]], [2, [['held', 7]]]);
  } finally {
    await estimators.close();
    server.closeAllConnections();
    server.close();
  }
});
