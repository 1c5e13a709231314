import type { HttpLimits } from './limits.ts';

/**
 * Counts the requests that wait for an answer, over all and for each workspace, and refuses more than the bounds
 * (KUBERNETES.md O2). One that is answered in the turn in which it came is never counted.
 *
 * When all seats are taken, they are shared: a workspace that holds less than an equal part of them is still let in, one
 * that holds more is refused, so that workspaces that flood are told 429 and no other is. Together that can be at most
 * twice `requestsMax`.
 */
export class InFlight {
  readonly #limits: Pick<HttpLimits, 'requestsMax' | 'requestsPerWorkspaceMax'>;
  #total = 0;
  /** Workspaces with requests under way; bounded by twice `requestsMax`. */
  readonly #byWorkspace = new Map<string, number>();
  #idle: (() => void)[] = [];

  constructor(limits: Pick<HttpLimits, 'requestsMax' | 'requestsPerWorkspaceMax'>) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Whether one more would be too many. */
  isFull(workspace: string): boolean {
    const { requestsMax, requestsPerWorkspaceMax } = this.#limits;
    if (this.#total === 0) return requestsMax === 0;
    const own = this.#byWorkspace.get(workspace) ?? 0;
    if (own >= requestsPerWorkspaceMax) return true;
    if (this.#total < requestsMax) return false;
    if (this.#total >= 2 * requestsMax) return true;
    const sharers = this.#byWorkspace.size + (own === 0 ? 1 : 0);
    return own >= Math.floor(requestsMax / sharers);
  }

  enter(workspace: string): void {
    this.#total++;
    this.#byWorkspace.set(workspace, (this.#byWorkspace.get(workspace) ?? 0) + 1);
  }

  leave(workspace: string): void {
    this.#total--;
    const own = (this.#byWorkspace.get(workspace) ?? 1) - 1;
    if (own > 0) this.#byWorkspace.set(workspace, own);
    else this.#byWorkspace.delete(workspace);
    if (this.#total > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when nothing is under way. */
  whenIdle(): Promise<void> {
    if (this.#total === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
