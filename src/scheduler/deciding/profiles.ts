import { cellsWorkspacePath } from '#api/federation/group.ts';
import { type SchedulingProfile, schedulingProfilesGvr } from '#api/policy/scheduling-profile.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { type CompiledProfile, compileProfile } from '../algorithm/profile.ts';

/** Karmada's name for what decides when a policy names nothing else. */
const defaultSchedulerName = 'default-scheduler';
const defaultProfileName = 'default';

export interface ProfilesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A profile came: what waits for it may go on. */
  readonly onProfile: () => void;
}

/** The platform team's SchedulingProfiles, compiled once each. */
export class Profiles {
  readonly #informer: Informer;
  readonly #compiled = new Map<string, CompiledProfile>();

  constructor({ client, clock, logger, onProfile }: ProfilesOptions) {
    const collection = { cluster: cellsWorkspacePath, gvr: schedulingProfilesGvr };
    this.#informer = new Informer({ client, clock, logger, collection });
    const put = (object: KubeObject): void => {
      this.#compiled.set(object.metadata.name ?? '', compileProfile(object as SchedulingProfile));
    };
    this.#informer.addHandler({
      onAdd: (object) => {
        put(object);
        onProfile();
      },
      onUpdate: put,
      onDelete: (old) => {
        this.#compiled.delete(old.metadata.name ?? '');
      },
    });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** What a policy's `schedulerName` names; undefined: nothing special; `missing`: there is no such profile. */
  of(schedulerName = ''): CompiledProfile | 'missing' | undefined {
    if (schedulerName === '' || schedulerName === defaultSchedulerName)
      return this.#compiled.get(defaultProfileName);
    return this.#compiled.get(schedulerName) ?? 'missing';
  }
}
