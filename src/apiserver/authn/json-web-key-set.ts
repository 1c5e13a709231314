import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Agent, request } from 'undici';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';

const answerBytesMax = 1024 * 1024;
const keysMax = 100;
const timeoutMs = 10_000;
/** Keys are asked for anew after this long, so that a withdrawn one is forgotten. */
const freshMs = 5 * 60_000;
/** Whatever tokens claim, an issuer is not asked more often than this. */
const askIntervalMs = 10_000;

export interface KeySetOptions {
  readonly issuer: string;
  /** Default: `<issuer>/.well-known/openid-configuration`. */
  readonly discoveryUrl?: string | undefined;
  /** PEM; default: the system's authorities. */
  readonly certificateAuthority?: string | undefined;
  readonly now: () => number;
  /** When a key that was there is no longer. */
  readonly onWithdrawn: () => void;
}

/** The public keys of an issuer by OpenID Connect Discovery 1.0 and RFC 7517; kept, refreshed, and bounded. */
export class JsonWebKeySet {
  readonly #options: KeySetOptions;
  readonly #agent: Agent;
  #keys: ReadonlyMap<string, KeyObject> = new Map();
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: KeySetOptions) {
    this.#options = options;
    const { certificateAuthority } = options;
    this.#agent = new Agent({
      connections: 2,
      connect: certificateAuthority === undefined ? {} : { ca: certificateAuthority },
    });
  }

  /** The key of that id, after asking the issuer where it is not known; undefined when there is none. */
  async key(id: string): Promise<KeyObject | undefined> {
    const known = this.#keys.get(id);
    const now = this.#options.now();
    if (known !== undefined) {
      this.keepFresh();
      return known;
    }
    await this.#refresh(now);
    return this.#keys.get(id);
  }

  /** Asks the issuer anew when that was long ago; nobody waits for it. A failure is told when a key is not known. */
  keepFresh(): void {
    const now = this.#options.now();
    if (now - this.#fetchedAtMs > freshMs) void this.#refresh(now).catch(() => {});
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #refresh(now: number): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    if (now - this.#askedAtMs < askIntervalMs) return Promise.resolve();
    this.#askedAtMs = now;
    this.#asking = this.#fetch(now).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(now: number): Promise<void> {
    const { issuer, discoveryUrl, onWithdrawn } = this.#options;
    const url = discoveryUrl ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const configuration = await this.#get(url);
    if (configuration['issuer'] !== issuer) throw new Error(`${url} is of another issuer`);
    const { jwks_uri: keysUrl } = configuration;
    if (typeof keysUrl !== 'string' || !keysUrl.startsWith('https://'))
      throw new Error(`${url} has no jwks_uri`);
    const { keys } = await this.#get(keysUrl);
    if (!Array.isArray(keys)) throw new Error(`${keysUrl} has no keys`);
    const found = new Map<string, KeyObject>();
    for (const jwk of keys.slice(0, keysMax)) {
      if (!isJsonObject(jwk) || (jwk['use'] !== undefined && jwk['use'] !== 'sig')) continue;
      const key = publicKeyOf(jwk);
      if (key !== undefined) found.set(typeof jwk['kid'] === 'string' ? jwk['kid'] : '', key);
    }
    const before = this.#keys;
    this.#keys = found;
    this.#fetchedAtMs = now;
    for (const id of before.keys()) if (!found.has(id)) return onWithdrawn();
  }

  async #get(url: string): Promise<JsonObject> {
    const response = await request(url, {
      dispatcher: this.#agent,
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw new Error(`${url} answered ${response.statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) throw new Error(`${url} answered more than ${answerBytesMax} bytes`);
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (!isJsonObject(value)) throw new Error(`${url} answered no JSON object`);
    return value;
  }
}

/** Public keys for signatures alone; whatever else is in a set is no key of ours. */
function publicKeyOf(jwk: JsonObject): KeyObject | undefined {
  const { kty, n, e, crv, x, y } = jwk;
  const parts = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : undefined;
  if (parts === undefined || Object.values(parts).some((part) => typeof part !== 'string')) return undefined;
  try {
    return createPublicKey({ key: parts as JsonWebKey, format: 'jwk' });
  } catch {
    return undefined;
  }
}
