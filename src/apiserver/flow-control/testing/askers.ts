import { parseRequestInfo } from '../../request/parse-request-info.ts';
import { allAuthenticated, type UserInfo } from '../../request/user.ts';
import type { ClusterId, Workspace } from '../../workspace/workspace.ts';
import { bootstrapFlowSchemas, bootstrapPriorityLevels } from '../bootstrap-objects.ts';
import { FlowConfiguration } from '../flow-configuration.ts';
import { FlowController, type FlowControllerOptions } from '../flow-controller.ts';
import type { FlowLimits } from '../flow-limits.ts';
import type { FlowRequest, Refusal, Seat } from '../flow-request.ts';

/** Only for tests: requests that ask for seats. */

export const bootstrap = new FlowConfiguration(bootstrapFlowSchemas, bootstrapPriorityLevels);
export const userOf = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, allAuthenticated],
  extra: new Map(),
});
export const jane = userOf('jane');
export const accountOf = (namespace: string, name: string) =>
  userOf(
    `system:serviceaccount:${namespace}:${name}`,
    'system:serviceaccounts',
    `system:serviceaccounts:${namespace}`,
  );
export const workspaceOf = (id: string) => ({ id: id as ClusterId, inert: false }) as Workspace;

export function requestOf(
  workspace: string,
  user = jane,
  url = '/api/v1/namespaces/default/pods/x',
  parks = false,
  unread = 0,
): FlowRequest {
  return {
    parks,
    unread,
    info: parseRequestInfo('GET', url),
    user,
    workspace: workspaceOf(workspace),
    isGone: false,
  };
}

/** Its clock stands still unless the test moves it: what is measured of requests must not depend on the machine. */
export function controllerOf(limits: Partial<FlowLimits>, options: Partial<FlowControllerOptions> = {}) {
  return new FlowController({
    configurations: { server: bootstrap, of: () => undefined },
    seatsOf: () => 1,
    limits: { refusalDelayMs: 0, ...limits },
    now: () => 0,
    ...options,
  });
}

export const isSeat = (answer: Seat | Refusal): answer is Seat => answer.leave !== undefined;
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What has been given to each asker by now. */
export class Askers {
  readonly seats = new Map<string, Seat[]>();
  readonly refusals = new Map<string, number>();
  readonly order: string[] = [];
  readonly #controller: FlowController;

  constructor(controller: FlowController) {
    this.#controller = controller;
  }

  ask(workspace: string, count = 1, user = jane, url?: string): void {
    for (let i = 0; i < count; i++) {
      const answer = this.#controller.enter(requestOf(workspace, user, url));
      if (answer instanceof Promise) void answer.then((known) => this.#count(workspace, known));
      else this.#count(workspace, answer);
    }
  }

  held(workspace: string): number {
    return this.seats.get(workspace)?.length ?? 0;
  }

  refused(workspace: string): number {
    return this.refusals.get(workspace) ?? 0;
  }

  leave(workspace: string, count = 1): void {
    for (const seat of this.seats.get(workspace)?.splice(0, count) ?? []) seat.leave();
  }

  #count(workspace: string, answer: Seat | Refusal): void {
    if (!isSeat(answer)) {
      this.refusals.set(workspace, this.refused(workspace) + 1);
      return;
    }
    const seats = this.seats.get(workspace) ?? [];
    seats.push(answer);
    this.seats.set(workspace, seats);
    this.order.push(workspace);
  }
}
