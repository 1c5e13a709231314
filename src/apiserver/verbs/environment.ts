import type { Clock } from '#apimachinery/clock.ts';
import type { AdmissionChain } from '../admission/admission-chain.ts';
import type { Registry } from '../registry/registry.ts';
import type { ResourceContext } from '../request/context.ts';
import type { ContinueTokens } from './continue-token.ts';
import type { WatchEnvironment } from './watch.ts';

/** What the reading verbs need. */
export interface ReadEnvironment {
  readonly registry: Registry;
  readonly tokens: ContinueTokens;
  readonly watch: WatchEnvironment;
}

/** What the verbs share: made once by `Verbs`. */
export interface VerbEnvironment extends ReadEnvironment {
  readonly admission: AdmissionChain;
  readonly clock: Clock;
  /** Rejects with 403 when the user may not create what an update or apply is about to create (C4, P3). */
  readonly authorizeCreate: (context: ResourceContext) => Promise<void> | undefined;
}
