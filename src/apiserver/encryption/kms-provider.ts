import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ApiError } from '#apimachinery/api-error.ts';
import { backoffDelayMs } from '#apimachinery/backoff.ts';
import { type Clock, sleep, type TimerHandle } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import { StorageError } from '#storage/errors.ts';
import { openWithSeed, sealWithSeed, seedBytes } from './extended-nonce.ts';
import {
  checkKeyId,
  checkSealedWith,
  decodeSealedWith,
  encodeSealedWith,
  joinObject,
  type SealedWith,
  splitObject,
} from './kms-messages.ts';
import { KmsCallError, type KmsService, type KmsSpec } from './kms-service.ts';
import { openGcm, type Transformer } from './transformers.ts';

export interface KmsLimits {
  /** From one look at the plugin to the next, while it is well and while it is not (as upstream). */
  readonly lookAgainMs: number;
  readonly lookAgainIllMs: number;
  /** A health check is answered from the last look for so long. */
  readonly wellKnownMs: number;
  readonly illKnownMs: number;
  /** What was sealed last is used for new values for so long after the plugin was last well (as upstream). */
  readonly writeWithoutMs: number;
  /** How long a start, or a new configuration, waits for a plugin that is not well yet. */
  readonly startPatienceMs: number;
  /** How long a value is waited for whose key the plugin fails to decrypt, unless it refuses outright. */
  readonly decryptPatienceMs: number;
  /** Decrypted keys that are remembered, least recently used first out; some hundred bytes each. */
  readonly keysMax: number;
}

export const defaultKmsLimits: KmsLimits = {
  lookAgainMs: 60_000,
  lookAgainIllMs: 10_000,
  wellKnownMs: 20_000,
  illKnownMs: 3_000,
  writeWithoutMs: 3 * 60_000,
  startPatienceMs: 30_000,
  decryptPatienceMs: 10_000,
  keysMax: 10_000,
};

export interface KmsProviderOptions {
  readonly spec: KmsSpec;
  readonly service: KmsService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<KmsLimits> | undefined;
  /** What was sealed until now is to be sealed anew: the plugin has another key. */
  readonly onNewKey: () => void;
  /** Something that could not be opened now can. */
  readonly onRecovery: () => void;
}

/** What new values are sealed with. */
interface WriteState {
  readonly seed: Buffer;
  readonly keyId: string;
  /** What stands in each value behind what is sealed. */
  readonly rest: Buffer;
  /** In the clock's monotonic time; beyond it nothing is sealed. */
  untilMs: number;
}

/** A key that the plugin decrypted, or why it does not. By the rest of the values that are sealed with it. */
type KnownKey =
  | { readonly key: Buffer; readonly keyId: string; readonly isSeed: boolean }
  | { readonly key: undefined; readonly why: string };

const statusVersions: ReadonlySet<string> = new Set(['v2', 'v2beta1']);
const seedSource = 1;
const retryDelay = { initialMs: 100, maxMs: 2_000 } as const;
/** Of the plugin's texts in logs and errors. */
const textMax = 1_024;

/**
 * Provider `kms` of version 2 (KUBERNETES.md O5, KEP-3299). A random seed is encrypted by the plugin once, for all values
 * until the plugin names another key; each value is sealed under a key derived from the seed. The plugin's state is looked
 * at once a minute. Keys of stored values are decrypted by the plugin when they are first met, and remembered.
 */
export class KmsProvider implements Transformer {
  readonly prefix: Buffer;
  readonly spec: KmsSpec;
  readonly #service: KmsService;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: KmsLimits;
  readonly #onNewKey: () => void;
  readonly #onRecovery: () => void;
  readonly #stopping = new AbortController();
  readonly #keys: LRUCache<string, KnownKey>;
  /** Sources that the plugin could not decrypt: asked again at each look. Bounded by `keysMax`. */
  readonly #failed = new Map<string, SealedWith>();
  readonly #fetching = new Map<string, Promise<void>>();
  #state: WriteState | undefined;
  #looking: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** What the last look found wrong. */
  #illness: Error | undefined;
  #timer: TimerHandle | undefined;

  constructor(options: KmsProviderOptions) {
    this.spec = options.spec;
    this.prefix = Buffer.from(`k8s:enc:kms:v2:${options.spec.name}:`);
    this.#service = options.service;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#limits = { ...defaultKmsLimits, ...options.limits };
    this.#onNewKey = options.onNewKey;
    this.#onRecovery = options.onRecovery;
    this.#keys = new LRUCache({ max: this.#limits.keysMax });
  }

  /** Resolves when values can be sealed; rejects with what is wrong when that takes too long. */
  async start(): Promise<void> {
    const untilMs = this.#clock.monotonic() + this.#limits.startPatienceMs;
    for (let tries = 1; ; tries++) {
      await this.#look();
      if (this.#illness === undefined) break;
      const delayMs = backoffDelayMs(tries, retryDelay);
      if (this.#clock.monotonic() + delayMs >= untilMs) throw this.#illness;
      await sleep(this.#clock, delayMs, this.#stopping.signal);
    }
    this.#schedule();
  }

  /** Idempotent. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new StorageError('closed', 'the store was stopped'));
    this.#timer?.cancel();
    this.#service.close();
  }

  /** Rejects with what is wrong with the plugin. */
  async check(): Promise<void> {
    const { wellKnownMs, illKnownMs } = this.#limits;
    const knownMs = this.#illness === undefined ? wellKnownMs : illKnownMs;
    if (this.#clock.monotonic() - this.#lookedAtMs >= knownMs) await this.#look();
    if (this.#illness !== undefined) throw this.#illness;
  }

  /** Throws InternalError while nothing may be sealed: the plugin has not been well for too long. */
  seal(plain: Buffer, context: string): Buffer {
    const state = this.#state;
    if (state === undefined) {
      throw cannotSeal(this.#illness?.message ?? 'the KMS plugin has not been asked yet');
    }
    if (this.#clock.monotonic() > state.untilMs) {
      const why = this.#illness === undefined ? '' : `: ${this.#illness.message}`;
      throw cannotSeal(`encryptedDEKSource with keyID hash "${hashOf(state.keyId)}" expired${why}`);
    }
    return joinObject({ data: sealWithSeed(state.seed, plain, context), rest: state.rest });
  }

  open(sealed: Buffer, context: string): Buffer | undefined {
    const object = splitObject(sealed);
    const known = object && this.#keys.get(sourceOf(object.rest));
    if (object === undefined || known?.key === undefined) return undefined;
    return known.isSeed
      ? openWithSeed(known.key, object.data, context)
      : openGcm(known.key, object.data, context);
  }

  prepare(sealed: Buffer): Promise<void> | undefined {
    const object = splitObject(sealed);
    if (object === undefined) return undefined;
    const source = sourceOf(object.rest);
    if (this.#keys.has(source)) return undefined;
    let fetching = this.#fetching.get(source);
    if (fetching === undefined) {
      fetching = this.#fetch(source).finally(() => this.#fetching.delete(source));
      this.#fetching.set(source, fetching);
    }
    return fetching;
  }

  isOutdated(sealed: Buffer): boolean {
    const object = splitObject(sealed);
    const known = object && this.#keys.get(sourceOf(object.rest));
    if (known?.key === undefined || this.#state === undefined) return false;
    return known.keyId !== this.#state.keyId || !known.isSeed;
  }

  whyNot(sealed: Buffer): string | undefined {
    const object = splitObject(sealed);
    if (object === undefined) return 'it is no EncryptedObject';
    const known = this.#keys.get(sourceOf(object.rest));
    return known !== undefined && known.key === undefined ? known.why : undefined;
  }

  /** Never rejects; looks that overlap are one. */
  #look(): Promise<void> {
    this.#looking ??= this.#examine()
      .then(
        () => this.#found(undefined),
        (error: unknown) => this.#found(error instanceof Error ? error : new Error(String(error))),
      )
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  #found(illness: Error | undefined): void {
    if (this.#stopping.signal.aborted) return;
    const { name } = this.spec;
    if (illness !== undefined)
      this.#logger.error({ err: illness, provider: name }, 'the KMS plugin is not well');
    else if (this.#illness !== undefined)
      this.#logger.info({ provider: name }, 'the KMS plugin is well again');
    this.#illness = illness;
    this.#lookedAtMs = this.#clock.monotonic();
  }

  async #examine(): Promise<void> {
    const { name } = this.spec;
    // The bound on writing without the plugin is counted from before it was asked.
    const untilMs = this.#clock.monotonic() + this.#limits.writeWithoutMs;
    const status = await this.#service.status().catch((error: unknown) => {
      throw new Error(
        `failed to perform status section of the healthz check for KMS Provider ${name}, error: ${textOf(error)}`,
      );
    });
    const faults: string[] = [];
    if (status.healthz !== 'ok')
      faults.push(`got unexpected healthz status: ${status.healthz.slice(0, textMax)}`);
    if (!statusVersions.has(status.version)) {
      faults.push(`expected KMSv2 API version v2, got ${status.version.slice(0, textMax)}`);
    }
    try {
      checkKeyId(status.key_id);
    } catch (error) {
      faults.push(`expected KMSv2 KeyID to be set: ${textOf(error)}`);
    }
    if (faults.length > 0)
      throw new Error(`kmsv2 Provider ${name} is not healthy, error: ${faults.join(', ')}`);
    const state = this.#state;
    if (state !== undefined && state.keyId === status.key_id) state.untilMs = untilMs;
    else await this.#newSeed(status.key_id, untilMs);
    await this.#retryFailed();
  }

  async #newSeed(statusKeyId: string, untilMs: number): Promise<void> {
    const { name } = this.spec;
    const seed = randomBytes(seedBytes);
    const failed = `failed to rotate DEK of KMS Provider ${name}, error: `;
    const answer = await this.#service
      .encrypt({ plaintext: seed, uid: randomUUID() })
      .catch((error: unknown) => {
        throw new Error(`${failed}failed to encrypt DEK, error: ${textOf(error)}`);
      });
    const sealedWith: SealedWith = {
      keyId: answer.key_id,
      encryptedDekSource: answer.ciphertext,
      annotations: answer.annotations,
      sourceType: seedSource,
    };
    try {
      checkSealedWith(sealedWith);
    } catch (error) {
      throw new Error(`${failed}${textOf(error)}`);
    }
    if (answer.key_id !== statusKeyId) {
      const [status, given] = [hashOf(statusKeyId), hashOf(answer.key_id)];
      throw new Error(
        `${failed}keyID of the answer (hash "${given}") is not that of the status (hash "${status}")`,
      );
    }
    if (this.#stopping.signal.aborted) return;
    const rest = encodeSealedWith(sealedWith);
    this.#keys.set(sourceOf(rest), { key: seed, keyId: answer.key_id, isSeed: true });
    const isFirst = this.#state === undefined;
    this.#state = { seed, keyId: answer.key_id, rest, untilMs };
    this.#logger.info(
      { provider: name, keyIdHash: hashOf(statusKeyId) },
      'values are sealed with a new seed',
    );
    if (!isFirst) this.#onNewKey();
  }

  async #fetch(source: string): Promise<void> {
    let sealedWith: SealedWith;
    try {
      sealedWith = decodeSealedWith(Buffer.from(source, 'latin1'));
    } catch (error) {
      this.#keys.set(source, { key: undefined, why: textOf(error) });
      return;
    }
    const untilMs = this.#clock.monotonic() + this.#limits.decryptPatienceMs;
    for (let tries = 1; ; tries++) {
      const error = await this.#decrypt(source, sealedWith);
      if (error === undefined) return;
      const delayMs = backoffDelayMs(tries, retryDelay);
      const isOver = this.#clock.monotonic() + delayMs >= untilMs;
      if (error.isRefusal || (isOver && !error.isAbsence)) {
        const why = `failed to decrypt DEK, error: ${textOf(error)}`;
        this.#logger.error(
          { provider: this.spec.name, keyIdHash: hashOf(sealedWith.keyId), err: error },
          why,
        );
        this.#keys.set(source, { key: undefined, why });
        if (this.#failed.size < this.#limits.keysMax) this.#failed.set(source, sealedWith);
        return;
      }
      if (isOver) {
        throw new StorageError('unavailable', `failed to decrypt DEK, error: ${textOf(error)}`, {
          provider: this.spec.name,
        });
      }
      await sleep(this.#clock, delayMs, this.#stopping.signal);
    }
  }

  /** What went wrong; undefined when the key is known now. */
  async #decrypt(source: string, sealedWith: SealedWith): Promise<KmsCallError | undefined> {
    const { keyId, encryptedDekSource, annotations, sourceType } = sealedWith;
    try {
      const { plaintext } = await this.#service.decrypt({
        ciphertext: encryptedDekSource,
        uid: randomUUID(),
        key_id: keyId,
        annotations,
      });
      const isKey = sourceType === seedSource ? plaintext.length >= seedBytes : isAesKey(plaintext);
      if (!isKey)
        return new KmsCallError(dataLoss, `the plugin gave ${plaintext.length} bytes, which is no key`);
      this.#keys.set(source, { key: Buffer.from(plaintext), keyId, isSeed: sourceType === seedSource });
      this.#failed.delete(source);
      return undefined;
    } catch (error) {
      if (error instanceof KmsCallError) return error;
      throw error;
    }
  }

  /** What could not be opened was the plugin's fault perhaps, and is mended by now. */
  async #retryFailed(): Promise<void> {
    let recovered = 0;
    for (const [source, sealedWith] of [...this.#failed]) {
      if (this.#stopping.signal.aborted) return;
      const error = await this.#decrypt(source, sealedWith);
      if (error === undefined) recovered++;
      else if (error.isAbsence) break;
    }
    if (recovered === 0) return;
    this.#logger.info(
      { provider: this.spec.name, keys: recovered },
      'the KMS plugin decrypts what it did not',
    );
    this.#onRecovery();
  }

  #schedule(): void {
    if (this.#stopping.signal.aborted) return;
    const { lookAgainMs, lookAgainIllMs } = this.#limits;
    const delayMs = this.#illness === undefined ? lookAgainMs : lookAgainIllMs;
    this.#timer = this.#clock
      .setTimeout(() => void this.#look().then(() => this.#schedule()), delayMs)
      .unref();
  }
}

const dataLoss = 15;

function isAesKey({ length }: Buffer): boolean {
  return length === 16 || length === 24 || length === 32;
}

/** A copy: what is remembered does not hold the value that it came with. */
function sourceOf(rest: Buffer): string {
  return rest.toString('latin1');
}

/** Key ids are not for logs and clients (as upstream). */
function hashOf(keyId: string): string {
  return `sha256:${createHash('sha256').update(keyId).digest('hex')}`;
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, textMax);
}

function cannotSeal(why: string): ApiError {
  return new ApiError('InternalError', `Internal error occurred: ${why}`);
}
