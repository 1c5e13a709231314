import { LRUCache } from 'lru-cache';
import { Agent, request } from 'undici';
import { numberAt, objectAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { linkedController } from '#apimachinery/lifecycle.ts';
import { notAnObject } from '../request/go-words.ts';
import { answerFault, callFault, deadlineExceeded } from './hook-faults.ts';
import { type ServiceAddresses, type ServiceReference, serviceHostName } from './service-address.ts';
import type { ServiceNetworks } from './service-networks.ts';

/** Connection pools kept, one per CA bundle and way of resolving names. */
const agentsMax = 64;
const connectionsPerHostMax = 16;
const defaultPort = 443;

/** A WebhookClientConfig: by URL, or by a Service of the workspace. */
export interface HookTarget {
  readonly url: string | undefined;
  readonly service: (ServiceReference & { readonly path: string }) | undefined;
  /** PEM; undefined: the system's authorities. */
  readonly caPem: string | undefined;
}

/** A call that came to nothing; what that means is the caller's business. */
export class HookError extends Error {
  override readonly name = 'HookError';
}

export function hookTargetOf(clientConfig: JsonValue | undefined): HookTarget {
  const service = objectAt(clientConfig, 'service');
  const caBundle = textAt(clientConfig, 'caBundle');
  return {
    url: textAt(clientConfig, 'url') || undefined,
    service:
      service === undefined
        ? undefined
        : {
            namespace: textAt(service, 'namespace'),
            name: textAt(service, 'name'),
            port: numberAt(service, 'port') ?? defaultPort,
            path: textAt(service, 'path'),
          },
    caPem: caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8'),
  };
}

/**
 * Posts reviews to webhooks over HTTPS, each within its own timeout (KUBERNETES.md A2, R7). A Service is resolved in the
 * workspace that names it (service-address.ts), verified as `<service>.<namespace>.svc`, and asked only within the
 * networks of services.
 */
export class HookClient {
  readonly #addresses: ServiceAddresses;
  readonly #networks: ServiceNetworks;
  readonly #agents = new LRUCache<string, Agent>({
    max: agentsMax,
    dispose: (agent) => {
      void agent.close();
    },
  });

  constructor(addresses: ServiceAddresses, networks: ServiceNetworks) {
    this.#addresses = addresses;
    this.#networks = networks;
  }

  /** The answer, decoded. Throws HookError, in the words of client-go, for anything but a success with JSON. */
  async post(
    target: HookTarget,
    clusterId: string,
    body: JsonObject,
    options: { readonly timeoutMs: number; readonly answerBytesMax: number; readonly signal: AbortSignal },
  ): Promise<unknown> {
    const { timeoutMs, answerBytesMax, signal } = options;
    // Not AbortSignal.any: in Node 20 a long-lived signal keeps a reference for every one made of it.
    const ending = linkedController(signal);
    const timer = setTimeout(() => ending.abort(new Error(deadlineExceeded)), timeoutMs);
    const query = { timeout: `${timeoutMs / 1000}s` };
    const shown = `Post ${JSON.stringify(`${shownUrl(target)}?timeout=${query.timeout}`)}: `;
    try {
      const { url, host } = this.#placeOf(target, clusterId);
      const response = await request(url, {
        method: 'POST',
        dispatcher: this.#agent(target),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(host === undefined ? {} : { host }),
        },
        body: JSON.stringify(body),
        query,
        signal: ending.signal,
      });
      const text = await readBounded(response.body, answerBytesMax);
      const { statusCode } = response;
      if (statusCode < 200 || statusCode > 206) {
        const contentType = response.headers['content-type'];
        throw new HookError(answerFault(statusCode, text, String(contentType ?? '')));
      }
      return decoded(statusCode, text);
    } catch (error) {
      if (error instanceof HookError) throw error;
      throw new HookError(`${shown}${callFault(error, target.service)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      ending.dispose();
    }
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  /** `host`: what the certificate is verified for, where it is not the URL's. */
  #placeOf(target: HookTarget, clusterId: string): { readonly url: string; readonly host?: string } {
    const { url, service } = target;
    if (url !== undefined) {
      if (!url.startsWith('https://')) throw new HookError('clientConfig.url must be https');
      return { url };
    }
    if (service === undefined) throw new HookError('clientConfig has neither url nor service');
    const { host, port } = this.#addresses.resolve(clusterId, service);
    this.#networks.check(host);
    const authority = host.includes(':') ? `[${host}]` : host;
    const path = service.path.startsWith('/') ? service.path : `/${service.path}`;
    return {
      url: `https://${authority}:${port}${path}`,
      host: `${serviceHostName(service)}:${service.port}`,
    };
  }

  #agent({ caPem, url }: HookTarget): Agent {
    const isService = url === undefined;
    const key = `${isService} ${caPem ?? ''}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = new Agent({
        connections: connectionsPerHostMax,
        connect: {
          ...(caPem === undefined ? {} : { ca: caPem }),
          ...(isService ? { lookup: this.#networks.lookup } : {}),
        },
      });
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

/** A Service by its name, as client-go shows it, not by where that name led. */
function shownUrl({ url, service }: HookTarget): string {
  if (service === undefined) return url ?? '';
  const path = service.path.startsWith('/') ? service.path : `/${service.path}`;
  return `https://${serviceHostName(service)}:${service.port}${path}`;
}

function decoded(statusCode: number, text: string): unknown {
  if (text === '') {
    throw new HookError(
      `0-length response with status code: ${statusCode} and content type: application/json`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HookError(notAnObject(text), { cause: error });
  }
  return value;
}

async function readBounded(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new HookError(`the answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
