import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import { KmsProvider } from './kms-provider.ts';
import type { KmsService, KmsSpec } from './kms-service.ts';

export interface KmsProvidersOptions {
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** Default: a plugin over gRPC, whose library is loaded when the first one is named. */
  readonly connect?: ((spec: KmsSpec) => Promise<KmsService>) | undefined;
}

/**
 * The KMS plugins of the configuration that holds and of one that is being taken: those that both name are kept, with
 * what they know.
 */
export class KmsProviders {
  /** What was sealed until now is to be sealed anew. */
  onNewKey: () => void = () => {};
  /** Something that could not be opened now can. */
  onRecovery: () => void = () => {};
  readonly #options: KmsProvidersOptions;
  #providers: readonly KmsProvider[] = [];

  constructor(options: KmsProvidersOptions) {
    this.#options = options;
  }

  /**
   * The plugins of these specs by name, each well enough to seal with. Rejects with what is wrong with one of them, when
   * waiting did not help; nothing is changed then. `keep` says that they hold from now on; others are let go by then.
   */
  async open(specs: readonly KmsSpec[]): Promise<{
    readonly providers: ReadonlyMap<string, KmsProvider>;
    readonly keep: () => void;
  }> {
    const opened: KmsProvider[] = [];
    const started: KmsProvider[] = [];
    try {
      for (const spec of specs) {
        let provider = this.#providers.find((one) => isSame(one.spec, spec));
        if (provider === undefined) {
          provider = await this.#make(spec);
          started.push(provider);
        }
        opened.push(provider);
      }
      await Promise.all(started.map((provider) => provider.start()));
    } catch (error) {
      for (const provider of started) provider.stop();
      throw error;
    }
    const keep = (): void => {
      for (const provider of this.#providers) if (!opened.includes(provider)) provider.stop();
      this.#providers = opened;
    };
    return { providers: new Map(opened.map((provider) => [provider.spec.name, provider])), keep };
  }

  /** Rejects with what is wrong with a plugin: check `kms-providers` of `/readyz`, as upstream. */
  async check(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.check()));
  }

  /** Idempotent. */
  stop(): void {
    for (const provider of this.#providers) provider.stop();
    this.#providers = [];
  }

  async #make(spec: KmsSpec): Promise<KmsProvider> {
    const { logger, clock = systemClock, connect = connectByGrpc } = this.#options;
    return new KmsProvider({
      spec,
      service: await connect(spec),
      clock,
      logger,
      onNewKey: () => this.onNewKey(),
      onRecovery: () => this.onRecovery(),
    });
  }
}

async function connectByGrpc(spec: KmsSpec): Promise<KmsService> {
  const { KmsClient } = await import('./kms-client.ts');
  return new KmsClient(spec);
}

function isSame(a: KmsSpec, b: KmsSpec): boolean {
  return a.name === b.name && a.socketPath === b.socketPath && a.timeoutMs === b.timeoutMs;
}
