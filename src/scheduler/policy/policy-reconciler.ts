import type { ReconcileResult } from '#client/reconcile.ts';
import type { Detector } from '../detector.ts';
import type { World } from '../world.ts';

const defaultDiscoveryRetryMs = 30_000;

/** Brings what a policy selects under watch and its objects to a decision, whenever the policy comes, changes or goes. */
export class PolicyReconciler {
  readonly #world: World;
  readonly #detector: Detector;
  readonly #discoveryRetryMs: number;

  /** `discoveryRetryMs`: before asking again for a kind that a policy names and nobody serves. */
  constructor(world: World, detector: Detector, discoveryRetryMs = defaultDiscoveryRetryMs) {
    this.#world = world;
    this.#detector = detector;
    this.#discoveryRetryMs = discoveryRetryMs;
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { states, policies, needs, queues, logger, signal, wake } = this.#world;
    const owned = [...states.keysOf(key)];
    const former = policies.index.get(key);
    const resolution = await policies.resolve(key, signal);
    if (resolution !== undefined) {
      await needs.ensureSelected(resolution.policy);
      this.#detector.wakeSelected(resolution.policy);
    }
    for (const one of owned) wake(one);
    if (former !== undefined) this.#detector.wakeReleased(former);
    if (policies.toldProgress(key) !== undefined) queues.progress.add(key);
    await needs.releaseUnused();
    if (resolution === undefined || resolution.missing.length === 0) return undefined;
    logger.debug({ policy: key, missing: resolution.missing }, 'a policy names kinds that are not served');
    return { requeueAfterMs: this.#discoveryRetryMs };
  }

  /** Before the first decision: what the policies that there are select is watched. */
  async resolveAll(): Promise<void> {
    const { policies, needs, logger, signal } = this.#world;
    await Promise.all(
      Array.from(policies.keys(), async (key) => {
        try {
          const resolution = await policies.resolve(key, signal);
          if (resolution !== undefined) await needs.ensureSelected(resolution.policy);
        } catch (error) {
          // It counts as unresolved, and its queue entry tries again.
          logger.debug({ err: error, policy: key }, 'policy is not resolved yet');
        }
      }),
    );
  }
}
