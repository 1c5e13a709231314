import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { makePki } from '../../../http/testing/test-server.ts';
import { HookClient } from '../../../services/hook-client.ts';
import { ServiceAddresses } from '../../../services/service-address.ts';
import { ServiceNetworks } from '../../../services/service-networks.ts';
import { Harness } from '../../../verbs/testing/harness.ts';
import { widgets } from '../../../verbs/testing/widgets.ts';
import { AdmissionMetrics } from '../../admission-metrics.ts';
import { MutatingWebhooks } from '../mutating-webhooks.ts';
import { ValidatingWebhooks } from '../validating-webhooks.ts';
import { WebhookCaller } from '../webhook-caller.ts';

/** Where nobody answers. */
export const slowPath = '/slow';

/** A server of webhooks on loopback, and workspaces that ask it. */
export class WebhookServer {
  /** The requests of the reviews that it was sent. */
  readonly seen: JsonObject[] = [];
  /** Calls at `slowPath` whose connection has ended. */
  readonly givenUp: string[] = [];
  /** What it answers, by path; 500 elsewhere. */
  readonly answers = new Map<string, (request: JsonObject) => JsonValue>();
  readonly #pki = makePki();
  readonly #server: Server;
  /** Without any Service: that one leads somewhere is test/webhook-services.e2e.ts's. */
  readonly #services: CachedStorage;
  readonly #hooks: HookClient;

  private constructor(services: CachedStorage) {
    this.#services = services;
    this.#hooks = new HookClient(new ServiceAddresses(services), ServiceNetworks.byDefault);
    const { certificatePem, keyPem } = this.#pki.serving;
    this.#server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
      void text(request).then((body) => {
        const review = JSON.parse(body) as { request: JsonObject };
        this.seen.push(review.request);
        const path = new URL(request.url ?? '/', 'https://x').pathname;
        if (path === slowPath) {
          response.on('close', () => this.givenUp.push(request.url ?? ''));
          return;
        }
        const answer = this.answers.get(path)?.(review.request);
        if (answer === undefined) {
          response.writeHead(500).end();
          return;
        }
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
  }

  static async start(): Promise<WebhookServer> {
    const started = new WebhookServer(await openCachedStorage(createMemoryStorage()));
    started.#server.listen(0, '127.0.0.1');
    await once(started.#server, 'listening');
    return started;
  }

  async stop(): Promise<void> {
    await this.#hooks.close();
    await this.#services.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Workspaces whose webhooks are called; nothing of before is seen or answered any more. */
  openHarness(metrics = new AdmissionMetrics()): Promise<Harness> {
    this.seen.length = 0;
    this.answers.clear();
    const caller = new WebhookCaller(this.#hooks);
    return Harness.open({
      metrics,
      definitions: [widgets()],
      workspaces: [{ id: 'other' as never }, { id: 'cell' as never, inert: true, type: 'cell' }],
      plugins: (storage) => [
        new MutatingWebhooks({ storage, caller, metrics }),
        new ValidatingWebhooks({ storage, caller, metrics }),
      ],
    });
  }

  /** Answers reviews at a path, allowing them unless told otherwise. */
  reply(path: string, response: (request: JsonObject) => JsonObject): void {
    this.answers.set(path, (request) => ({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: request['uid'], allowed: true, ...response(request) },
    }));
  }

  /** With one webhook `<name>.example.com`, which is asked at the path of everything about ConfigMaps. */
  configuration(
    kind: 'Mutating' | 'Validating',
    name: string,
    path: string,
    more: JsonObject = {},
  ): JsonObject {
    const { port } = this.#server.address() as AddressInfo;
    const caBundle = Buffer.from(this.#pki.ca.certificatePem).toString('base64');
    return {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: `${kind}WebhookConfiguration`,
      metadata: { name },
      webhooks: [
        {
          name: `${name}.example.com`,
          clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle },
          rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          ...more,
        },
      ],
    };
  }
}
