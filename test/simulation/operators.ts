import { cellsGvr } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { federatorsGvr } from '#api/federation/federator.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { credentialsRef, type World } from './world/world.ts';

/** What operators do to cells and federators while everything else goes on. */
const deeds = {
  /** Its cells go to the other one. */
  'federator drained': 4,
  'cell cordoned': 2,
  'cell drained': 3,
  /** The edge accepts the new credentials before the Secret has them, and the former ones for long enough. */
  'credentials rotated': 3,
  /** The edge accepts the former ones no more when it accepts the new ones. */
  'credentials revoked': 2,
  /** The Secret has what the edge never accepted, for a while. */
  'credentials mistaken': 2,
  /** Deletions beyond it wait until somebody lets them happen, at the latest when all is mended. */
  'deletions bounded': 2,
} as const;

type Deed = keyof typeof deeds;

export const deedNames: readonly string[] = Object.keys(deeds);

const gapMsMax = 5_000;
const budgetMax = 3;
const lastingMsMax = 12_000;
const retryMs = 500;
const callTimeoutMs = 5_000;

export interface OperatorsOptions {
  readonly world: World;
  readonly random: Random;
  readonly note: (what: string) => void;
  readonly count: (deed: string) => void;
}

/** Changes cells and federators for a while, over the network, until it is stopped; then all of it is undone. */
export class Operators {
  readonly #options: OperatorsOptions;
  readonly #client: KubeClient;
  /** Cell → what the Secret has, by the operators' will. */
  readonly #tokens = new Map<string, string>();
  #serial = 0;

  constructor(options: OperatorsOptions) {
    this.#options = options;
    this.#client = options.world.peopleAt(options.world.federation, cellsWorkspacePath);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { random, count } = this.#options;
    while (!signal.aborted) {
      await this.#wait(random.next() * gapMsMax, signal);
      if (signal.aborted) return;
      const deed = random.weighted(deeds);
      if (await this.#do(deed, signal)) count(deed);
    }
  }

  /** All is as in the beginning, but for the credentials: the edges accept what the Secrets have, and for now what they had. */
  async mend(): Promise<void> {
    const { world } = this.#options;
    const never = new AbortController().signal;
    for (const cell of world.tokens.keys()) {
      await this.#taint(cell, [], never);
      await this.#bound(cell, null, never);
      await this.#giveSecret(cell, this.#tokens.get(cell) ?? cell, never);
    }
    for (const { name } of world.parts) {
      if (name.startsWith('federator')) await this.#setUnschedulable(name, false, never);
    }
  }

  /** The edges accept the newest credentials alone: by now nobody may use others. */
  revokeFormer(): void {
    const { tokens } = this.#options.world;
    for (const cell of tokens.keys()) tokens.set(cell, new Set([this.#tokens.get(cell) ?? cell]));
  }

  async #do(deed: Deed, signal: AbortSignal): Promise<boolean> {
    const { world, random, note } = this.#options;
    const cell = random.pick([...world.tokens.keys()]);
    const forMs = Math.round(random.next() * lastingMsMax);
    switch (deed) {
      case 'federator drained': {
        const federator = random.pick(world.parts.filter(({ name }) => name.startsWith('federator'))).name;
        note(`${federator} is drained for ${forMs} ms`);
        if (!(await this.#setUnschedulable(federator, true, signal))) return false;
        await this.#wait(forMs, signal);
        await this.#setUnschedulable(federator, false, signal);
        return true;
      }
      case 'cell cordoned':
      case 'cell drained': {
        const taints: JsonObject[] = [{ key: cellTaints.cordon, effect: 'NoSchedule' }];
        if (deed === 'cell drained') taints.push({ key: cellTaints.drain, effect: 'NoExecute' });
        note(`${cell}: ${deed} for ${forMs} ms`);
        if (!(await this.#taint(cell, taints, signal))) return false;
        await this.#wait(forMs, signal);
        await this.#taint(cell, [], signal);
        return true;
      }
      case 'credentials rotated':
      case 'credentials revoked': {
        const token = `${cell}-${++this.#serial}`;
        const accepted = world.tokens.get(cell) ?? new Set();
        note(`${cell}: ${deed}`);
        if (deed === 'credentials revoked') accepted.clear();
        accepted.add(token);
        this.#tokens.set(cell, token);
        return this.#giveSecret(cell, token, signal);
      }
      case 'credentials mistaken': {
        note(`${cell}: ${deed} for ${forMs} ms`);
        if (!(await this.#giveSecret(cell, 'mistaken', signal))) return false;
        await this.#wait(forMs, signal);
        await this.#giveSecret(cell, this.#tokens.get(cell) ?? cell, signal);
        return true;
      }
      case 'deletions bounded': {
        const maxObjects = random.between(0, budgetMax);
        note(`${cell}: ${deed} to ${maxObjects} for ${forMs} ms`);
        world.bounded.add(cell);
        if (!(await this.#bound(cell, { maxObjects }, signal))) return false;
        await this.#wait(forMs, signal);
        await this.#bound(cell, null, signal);
        return true;
      }
      default:
        return deed satisfies never;
    }
  }

  #setUnschedulable(name: string, unschedulable: boolean, signal: AbortSignal): Promise<boolean> {
    const ref = { cluster: undefined, gvr: federatorsGvr, name };
    return this.#insist(signal, () => this.#merge(ref, { spec: { unschedulable } }));
  }

  #taint(name: string, taints: JsonObject[], signal: AbortSignal): Promise<boolean> {
    const ref = { cluster: undefined, gvr: cellsGvr, name };
    return this.#insist(signal, () => this.#merge(ref, { spec: { taints } }));
  }

  #bound(name: string, deletionBudget: JsonObject | null, signal: AbortSignal): Promise<boolean> {
    const ref = { cluster: undefined, gvr: cellsGvr, name };
    return this.#insist(signal, () => this.#merge(ref, { spec: { deletionBudget } }));
  }

  #giveSecret(cell: string, token: string, signal: AbortSignal): Promise<boolean> {
    const data = { token: Buffer.from(token).toString('base64') };
    return this.#insist(signal, () => this.#merge(credentialsRef(cell), { data }));
  }

  #merge(ref: Parameters<KubeClient['patch']>[0], body: JsonObject): Promise<unknown> {
    return this.#client.patch(ref, { type: 'merge', body }, { timeoutMs: callTimeoutMs });
  }

  /** Or until the signal fires. */
  async #wait(forMs: number, signal: AbortSignal): Promise<void> {
    let onAbort = () => {};
    const aborted =
      signal.aborted ||
      new Promise<void>((resolve) => {
        onAbort = resolve;
        signal.addEventListener('abort', onAbort, { once: true });
      });
    await Promise.race([this.#options.world.time.sleep(forMs), aborted]);
    signal.removeEventListener('abort', onAbort);
  }

  /** Until it is done; false when the signal fires before, or there is nothing to do it to. */
  async #insist(signal: AbortSignal, act: () => Promise<unknown>): Promise<boolean> {
    for (;;) {
      try {
        await act();
        return true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (isApiError(error, 'NotFound') || signal.aborted) return false;
      }
      await this.#options.world.time.sleep(retryMs);
    }
  }
}
