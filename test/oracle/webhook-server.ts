import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { certificateFor } from '../extension/extension-server.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import type { Side } from './pair.ts';

/** What a webhook says: `response` of its AdmissionReview, the uid given; or another answer altogether. */
export interface HookAnswer {
  readonly response?: JsonObject | undefined;
  /** In place of what an AdmissionReview is made of. */
  readonly review?: JsonObject | undefined;
  readonly status?: number | undefined;
  readonly text?: string | undefined;
}

interface Received {
  readonly hook: string;
  readonly contentType: string | undefined;
  readonly query: string;
  readonly review: JsonValue;
}

/** One server for the webhooks of both sides: it answers both alike and keeps what each has asked. */
export class WebhookServer implements AsyncDisposable {
  readonly caBundle: string;
  readonly #server: Server;
  readonly #answers = new Map<string, HookAnswer>();
  readonly #received = new Map<string, Received[]>();

  private constructor(caBundle: string, server: Server) {
    this.caBundle = caBundle;
    this.#server = server;
  }

  static async start(): Promise<WebhookServer> {
    const tls = certificateFor(['127.0.0.1']);
    const server = createServer({ cert: tls.certPem, key: tls.keyPem });
    const made = new WebhookServer(Buffer.from(tls.caPem).toString('base64'), server);
    server.on('request', async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { pathname, search } = new URL(request.url ?? '/', 'https://localhost');
      const [, side = '', name = '', hook = ''] = pathname.split('/');
      const review = JSON.parse(body) as JsonObject;
      const key = `${side}/${name}`;
      const contentType = request.headers['content-type'];
      const all = made.#received.get(key) ?? [];
      made.#received.set(key, [...all, { hook, contentType, query: search, review }]);
      const answer = made.#answers.get(`${name}/${hook}`) ?? { response: { allowed: true } };
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
      response.end(answer.text ?? JSON.stringify(reviewed(answer, review)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  /** Where a hook of a case is for one side. */
  urlOf(side: Side, name: string, hook: string): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${side}/${name}/${hook}`;
  }

  answer(name: string, hook: string, answer: HookAnswer): void {
    this.#answers.set(`${name}/${hook}`, answer);
  }

  /** What a side has asked in a case since it was last looked at, hook by hook: those of one kind are asked in any order. */
  take(side: Side, name: string): JsonValue {
    const key = `${side}/${name}`;
    const all = this.#received.get(key) ?? [];
    this.#received.delete(key);
    return [...all].sort((a, b) => (a.hook < b.hook ? -1 : a.hook > b.hook ? 1 : 0)) as unknown as JsonValue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(() => {
      this.#server.closeAllConnections();
      this.#server.close();
    });
  }
}

function reviewed({ response = {}, review }: HookAnswer, asked: JsonObject): JsonObject {
  const request = isJsonObject(asked['request']) ? asked['request'] : {};
  const { apiVersion, kind } = asked;
  return { apiVersion, kind, ...review, response: { uid: request['uid'], ...response } } as JsonObject;
}
