// A tenant that floods the server and does not heed 429 beside one that asks now and then (KUBERNETES.md O2). How much
// the quiet one waits is for the benchmark (`npm run bench -- flood`) to tell: here it is served at all, and nobody else is
// told to go away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { type FloodClient, type FloodScene, startFloodScene } from './bench/flood-scene.ts';
import { certificateFor } from './extension/extension-server.ts';
import { RawHttp } from './harness/raw-http.ts';
import { until } from './harness/until.ts';

const quietMs = 20;
/** Of each of the quiet one's two clients, beside each flood. */
const answersMin = 20;
/** More than have a seat or wait for one. */
const heldConnections = 450;
const configMapsOf = (tenant: string) => `/clusters/root:${tenant}/api/v1/namespaces/default/configmaps`;
const configMap = JSON.stringify({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { generateName: 'held-' },
});

describe('a flood in one workspace', { timeout: 600_000 }, () => {
  let scene: FloodScene;
  before(async () => {
    scene = await startFloodScene();
  });
  after(() => scene?.[Symbol.asyncDispose]());

  for (const [flood, protocol, connections, streams] of [
    ['GET', 'http/1', 450, 1],
    ['POST', 'http/1', 450, 1],
    ['GET', 'http/2', 200, 4],
  ] as const) {
    test(`of ${flood} over ${protocol}: another's requests are all served (O2)`, async () => {
      const quietly = { tenant: 'quiet', protocol, connections: 2, intervalMs: quietMs } as const;
      const clients: readonly FloodClient[] = [
        { ...quietly, method: 'GET' },
        { ...quietly, method: 'POST' },
        { tenant: 'noisy', method: flood, protocol, connections, streams, intervalMs: 0 },
      ];
      const counts = { 200: 0, 201: 0, noisy: 0 };
      // Where all cores are taken the flood, which is nice, may hardly have begun when the time is over: then it has more.
      for (
        let times = 1;
        Math.min(counts[200], counts[201], answersMin * counts.noisy) < answersMin;
        times *= 2
      ) {
        const [reader, writer, noisy] = await scene.measure(clients, 1_000 * times, 2_500 * times);
        for (const [asking, code] of [
          [reader!, '200'],
          [writer!, '201'],
        ] as const) {
          const { [code]: served = 0, ...others } = asking.counts;
          assert.deepEqual(others, {}, JSON.stringify(asking));
          counts[code] += served;
        }
        counts.noisy += Object.values(noisy!.counts).reduce((sum, count) => sum + count, 0);
      }
    });
  }

  test('whose requests hold all their seats is told 429; another is served beside it (O2)', async () => {
    const held = new Set<ServerResponse>();
    let isHolding = true;
    const tls = certificateFor(['127.0.0.1']);
    const hook = createServer({ cert: tls.certPem, key: tls.keyPem }, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { uid } = (JSON.parse(body) as { request: JsonObject }).request;
      const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
      if (isHolding) {
        held.add(response);
        response.once('close', () => held.delete(response));
        await until('it is let go', () => !isHolding || response.destroyed);
      }
      response.end(JSON.stringify({ ...review, response: { uid, allowed: true } }));
    });
    hook.listen(0, '127.0.0.1');
    await once(hook, 'listening');
    const noisy = new RawHttp(scene.connectionOf('noisy'), { connectionsMax: heldConnections });
    const quiet = new RawHttp(scene.connectionOf('quiet'));
    const statuses = new Set<number>();
    const send = async () => {
      const { status } = await noisy.send({ path: configMapsOf('noisy'), body: configMap });
      statuses.add(status);
      return status;
    };
    let sending: Promise<unknown> = Promise.resolve();
    try {
      const { port } = hook.address() as AddressInfo;
      const configurations =
        '/clusters/root:noisy/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
      const configuration = {
        path: configurations,
        body: JSON.stringify({
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingWebhookConfiguration',
          metadata: { name: 'slow' },
          webhooks: [
            {
              name: 'slow.example.com',
              clientConfig: {
                url: `https://127.0.0.1:${port}/`,
                caBundle: Buffer.from(tls.caPem).toString('base64'),
              },
              rules: [
                { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
              ],
              admissionReviewVersions: ['v1'],
              sideEffects: 'None',
              failurePolicy: 'Ignore',
              timeoutSeconds: 10,
            },
          ],
        }),
      };
      // Of its floods before, some may still wait.
      const made = await until('it is heard', async () => {
        const answer = await noisy.send(configuration);
        return answer.status === 429 ? undefined : answer;
      });
      assert.equal(made.status, 201, made.text);
      sending = Promise.allSettled(
        Array.from({ length: heldConnections }, async () => {
          // Until one is refused all of them ask again and again: they are more than find room.
          while (isHolding && (await send()) !== 429);
        }),
      );
      await until('some are held, and one is told 429', () => held.size > 0 && statuses.has(429));
      for (let i = 0; i < answersMin; i++) {
        const read = await quiet.send({ path: `${configMapsOf('quiet')}/sample` });
        assert.equal(read.status, 200, read.text);
        const written = await quiet.send({ path: configMapsOf('quiet'), body: configMap });
        assert.equal(written.status, 201, written.text);
      }
    } finally {
      isHolding = false;
      await sending;
      noisy.close();
      quiet.close();
      hook.closeAllConnections();
      hook.close();
    }
    assert.deepEqual([...statuses].sort(), [201, 429], 'nobody is told anything else');
  });
});
