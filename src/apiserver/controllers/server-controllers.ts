import type { Logger } from '#client/logger.ts';
import { AssignmentController } from './assignment-controller.ts';
import { BootstrapRoles } from './bootstrap-roles.ts';
import { CellController } from './cell-controller.ts';
import { ClusterRoleAggregation } from './cluster-role-aggregation.ts';
import type { Controller, ControllerContext } from './controller.ts';
import { EventExpiry } from './event-expiry.ts';
import { FederatorLiveness } from './federator-liveness.ts';
import { FlowSchemaStatus } from './flow-schema-status.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { NamespaceDefaults } from './namespace-defaults.ts';
import { NamespaceDeletion } from './namespace-deletion.ts';
import { PolicyTypeChecking } from './policy-type-checking.ts';
import { WorkspaceDeletion } from './workspace-deletion.ts';
import { WorkspaceReadiness } from './workspace-readiness.ts';

export interface ServerControllersOptions extends ControllerContext {
  /** PEM of the CA that signed the serving certificate. */
  readonly rootCa: () => string;
  /** False at an edge, which has one workspace and no cells. Default true. */
  readonly workspaces?: boolean | undefined;
}

/**
 * The server's own controllers, once per process over all workspaces. Where several servers share a store only one of
 * them runs these (leader lease): they are safe at any number, but would do everything so many times.
 */
export class ServerControllers {
  readonly #controllers: readonly Controller[];
  readonly #liveness: FederatorLiveness | undefined;
  readonly #context: ControllerContext;
  readonly #logger: Logger;
  #started = false;

  constructor(options: ServerControllersOptions) {
    const { rootCa, workspaces = true, ...context } = options;
    this.#context = context;
    this.#logger = context.logger;
    const everywhere = [
      new NamespaceDeletion(context),
      new NamespaceDefaults(context, rootCa),
      new GarbageCollector(context),
      new EventExpiry(context),
      new FlowSchemaStatus(context),
      new PolicyTypeChecking(context),
      new BootstrapRoles(context),
      new ClusterRoleAggregation(context),
    ];
    if (!workspaces) {
      this.#controllers = everywhere;
      return;
    }
    const liveness = new FederatorLiveness(context);
    this.#liveness = liveness;
    this.#controllers = [
      ...everywhere,
      new WorkspaceReadiness(context),
      new WorkspaceDeletion(context),
      new CellController(context, liveness),
      new AssignmentController(context, liveness),
    ];
  }

  /** Idempotent. They run until the signal fires or `stop` is called; a stopped set is not started again. */
  start(signal?: AbortSignal): void {
    if (this.#started) return;
    this.#started = true;
    this.#context.events.start();
    this.#liveness?.start();
    for (const controller of this.#controllers) controller.start();
    signal?.addEventListener('abort', () => void this.stop(), { once: true });
  }

  /** Idempotent; resolves when what was under way has ended. */
  async stop(): Promise<void> {
    this.#liveness?.stop();
    const results = await Promise.allSettled(this.#controllers.map((controller) => controller.stop()));
    results.forEach((result, at) => {
      if (result.status === 'fulfilled') return;
      this.#logger.warn(
        { err: result.reason, controller: this.#controllers[at]?.name },
        'controller failed to stop',
      );
    });
  }
}
