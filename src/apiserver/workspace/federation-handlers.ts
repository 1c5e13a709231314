import { type Cell, cellDefinition } from '#api/federation/cell.ts';
import { copyDefinition } from '#api/federation/copy.ts';
import { badRequest, methodNotAllowed } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { StoreEvents } from '../controllers/store-events.ts';
import { Registry } from '../registry/registry.ts';
import { ContinueTokens } from '../verbs/continue-token.ts';
import { decodeObject } from '../verbs/decode-body.ts';
import type { ReadEnvironment, VerbEnvironment } from '../verbs/environment.ts';
import { getObject } from '../verbs/get.ts';
import { parseWriteParameters } from '../verbs/options.ts';
import {
  type HandlerTools,
  handlerKey,
  type ResourceHandler,
  targetOf,
  writeResult,
} from '../verbs/request.ts';
import { serveReading, serveStored } from '../verbs/serve-stored.ts';
import type { WatchSession } from '../verbs/watch.ts';
import { WatchTimers } from '../verbs/watch-timers.ts';
import { CopyView } from './copy-view.ts';
import { ProjectCellView } from './project-cell-view.ts';
import type { WorkspaceDirectory } from './workspace-index.ts';

export interface FederationHandlersOptions {
  readonly storage: CachedStorage;
  readonly events: StoreEvents;
  readonly index: WorkspaceDirectory;
  readonly clock?: Clock | undefined;
  /** Default Math.random; spreads the ends of watches. */
  readonly random?: (() => number) | undefined;
}

/**
 * Serves what federation has beyond stored objects: `copies` in cell workspaces, the usable `cells` in project
 * workspaces, and the subresource `cells/assignment`.
 * Its handlers are given to the verbs by `handlerKey`.
 */
export class FederationHandlers {
  readonly handlers: ReadonlyMap<string, ResourceHandler>;
  readonly #copyView: CopyView;
  readonly #copies: ReadEnvironment;
  readonly #projectCells: ReadEnvironment;
  readonly #sessions = new Set<WatchSession>();
  readonly #unlisten: () => void;

  constructor(options: FederationHandlersOptions) {
    const { storage, events, index, clock = systemClock, random = Math.random } = options;
    events.start();
    this.#copyView = new CopyView(storage, events);
    const tokens = new ContinueTokens(storage.controlPlaneId);
    const timers = new WatchTimers(clock);
    const serve = (view: CachedStorage): ReadEnvironment => {
      const registry = new Registry({ storage: view });
      return { registry, tokens, watch: { registry, clock, timers, sessions: this.#sessions, random } };
    };
    this.#copies = serve(this.#copyView);
    this.#projectCells = serve(new ProjectCellView(storage, index));
    this.#unlisten = index.onChange(({ id }, change) => {
      if (change !== 'removed') return;
      for (const session of [...this.#sessions])
        if (session.scope.workspace?.id === id) session.end(undefined);
    });
    const { group, resource } = copyDefinition;
    this.handlers = new Map([
      [handlerKey(group, resource), this.#serveCopies],
      [handlerKey(group, cellDefinition.resource), this.#serveCells],
      [handlerKey(group, cellDefinition.resource, 'assignment'), serveAssignment],
    ]);
  }

  /** Ends the watches on what is served here cleanly; idempotent. */
  async close(): Promise<void> {
    this.#unlisten();
    for (const session of [...this.#sessions]) session.end(undefined);
    await this.#copyView.close();
  }

  readonly #serveCopies: ResourceHandler = (context) => {
    // Over all workspaces it would show each federator the others' cells.
    if (context.workspace === undefined) {
      throw methodNotAllowed(context.served.definition, context.info.verb);
    }
    return serveReading(this.#copies, context);
  };

  /** In a project's workspace the cells that it may use; elsewhere Cells are objects like any others. */
  readonly #serveCells: ResourceHandler = (context, request, tools) => {
    if (context.served.definition.virtual === true) return serveReading(this.#projectCells, context);
    if (!isEnvironment(tools)) throw new TypeError('a handler was called by something else than the verbs');
    return serveStored(tools, context, request);
  };
}

/** The verbs hand their handlers their whole environment; the handlers' type names the part that most need. */
function isEnvironment(tools: HandlerTools): tools is VerbEnvironment {
  return 'admission' in tools && 'watch' in tools;
}

/**
 * GET and PUT of `cells/<name>/assignment`: the body is the Cell, of which only `status.assignment` and `status.cluster`
 * are taken (the kind's strategy sees to that). The authorizer opens it to the server alone.
 */
const serveAssignment: ResourceHandler = async (context, request, { registry }) => {
  if (context.info.verb === 'get') return getObject(registry, context);
  const target = targetOf(context);
  const parameters = parseWriteParameters(context.info.query, 'UpdateOptions');
  const given = decodeObject(request.body, {
    ...target,
    fieldValidation: parameters.fieldValidation,
    warnings: context.warnings,
  }) as Cell;
  if (given.metadata.name !== context.name) {
    throw badRequest(
      `the name of the object (${given.metadata.name}) does not match the name on the URL (${context.name})`,
    );
  }
  const outcome = await registry.update(
    target,
    { dryRun: parameters.dryRun, warnings: context.warnings, subresource: context.subresource },
    () => ({ ...given, metadata: { ...given.metadata } }),
  );
  return writeResult(outcome, context);
};
