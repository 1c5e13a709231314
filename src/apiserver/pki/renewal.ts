import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerPki } from './pki.ts';

/** How long until another try after a renewal that failed. */
const retryMs = 3_600_000;

/**
 * Renews the serving certificate when it is due, for as long as the server runs. Returns how to stop that. One timer in
 * all; it does not keep the process alive.
 */
export function keepRenewed(options: {
  readonly pki: ServerPki;
  /** Makes what is due anew; the authority's key stays. */
  readonly renew: () => Promise<ServerPki>;
  readonly use: (pki: ServerPki) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}): () => void {
  const { renew, use, clock, logger } = options;
  let stopped = false;
  let timer: TimerHandle;
  const arm = (delayMs: number) => {
    if (stopped) return;
    timer = clock.setTimeout(() => void run(), Math.max(1_000, delayMs)).unref();
  };
  const run = async () => {
    try {
      const pki = await renew();
      if (stopped) return;
      use(pki);
      logger.info({ renewAfter: pki.renewAfter.toISOString() }, 'serving certificate renewed');
      arm(pki.renewAfter.getTime() - clock.now());
    } catch (error) {
      logger.error({ err: error, retryMs }, 'serving certificate could not be renewed');
      arm(retryMs);
    }
  };
  arm(options.pki.renewAfter.getTime() - clock.now());
  return () => {
    stopped = true;
    timer.cancel();
  };
}
