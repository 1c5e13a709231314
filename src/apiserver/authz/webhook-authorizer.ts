import { LRUCache } from 'lru-cache';
import { textAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { UserInfo } from '../request/user.ts';
import { ReviewError, ReviewPoster } from '../review-poster.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from './authorizer.ts';
import { scopesExtra } from './effective-users.ts';
import type { WebhookConditions } from './webhook-conditions.ts';

/** What tells the webhook which workspace is asked about: kcp's key, and the workspace's path. */
export const workspaceIdExtra = 'authorization.kubernetes.io/cluster-name';
export const workspacePathExtra = 'authorization.cellplane.io/workspace';

const answersMax = 10_000;
/** Longer questions are asked anew each time, as Kubernetes does it. */
const cachedKeyMax = 10_000;
const attemptsMax = 3;
const pauseMs = 100;

const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

export interface WebhookAuthorizerOptions {
  readonly name: string;
  /** `server`: the whole URL to post to. */
  readonly connection: ServerConnection;
  /** How long answers are believed; 0: not at all. */
  readonly allowedMs: number;
  readonly refusedMs: number;
  readonly timeoutMs: number;
  /** What counts when nobody answers, or conditions cannot be told. */
  readonly onFailure: 'noOpinion' | 'deny';
  readonly conditions?: WebhookConditions | undefined;
  /** Of which users and workspaces it is asked; default: all but cell workspaces and `/clusters/*`. */
  readonly concerns?: ((user: UserInfo, workspace: Workspace) => boolean) | undefined;
  /** Tells the webhook the workspace; false where it is one cluster's API server (delegated authorization). */
  readonly tellsWorkspace: boolean;
  readonly logger: Logger;
}

/**
 * Asks a webhook by SubjectAccessReview v1 (KUBERNETES.md U5, O1). One question under way serves all who ask the same.
 * Never asked about cell workspaces, where rights come from the server alone, nor over all workspaces.
 */
export class WebhookAuthorizer implements Authorizer {
  readonly #options: WebhookAuthorizerOptions;
  readonly #poster: ReviewPoster;
  readonly #answers = new LRUCache<string, AuthorizationDecision>({ max: answersMax });
  /** Bounded by the requests under way. */
  readonly #asking = new Map<string, Promise<AuthorizationDecision>>();

  constructor(options: WebhookAuthorizerOptions) {
    this.#options = options;
    this.#poster = new ReviewPoster(options.connection);
  }

  get name(): string {
    return this.#options.name;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const { user, workspace } = attributes;
    const { concerns, conditions, name, logger, tellsWorkspace } = this.#options;
    if (workspace === undefined || workspace.inert || concerns?.(user, workspace) === false) return noOpinion;
    const spec = specOf(attributes, workspace, tellsWorkspace);
    if (conditions !== undefined && !conditions.isEmpty) {
      const answer = conditions.holdFor(spec);
      if (answer.error !== undefined) {
        logger.warn({ webhook: name, why: answer.error }, 'match conditions of an authorizer cannot be told');
        return this.#failed('match conditions cannot be told');
      }
      if (!answer.matches) return noOpinion;
    }
    const key = JSON.stringify(spec);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(spec, key).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  close(): Promise<void> {
    return this.#poster.close();
  }

  async #ask(spec: JsonObject, key: string): Promise<AuthorizationDecision> {
    const { name, logger, allowedMs, refusedMs } = this.#options;
    let review: JsonObject;
    try {
      review = await this.#post({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec });
    } catch (error) {
      logger.warn(
        { err: error, webhook: name, url: this.#poster.url },
        'an authorizer webhook gave no answer',
      );
      return this.#failed('no answer');
    }
    const reason = textAt(review, 'status', 'reason');
    const allowed = valueAt(review, 'status', 'allowed') === true;
    const isDenied = valueAt(review, 'status', 'denied') === true;
    if (allowed && isDenied) {
      logger.warn({ webhook: name }, 'an authorizer webhook both allowed and denied: nothing is allowed');
    }
    const decision: AuthorizationDecision = {
      decision: isDenied ? 'deny' : allowed ? 'allow' : 'noOpinion',
      reason,
      ...(allowed && isDenied ? { error: errorOf(name, 'it both allowed and denied') } : {}),
    };
    const ttl = decision.decision === 'allow' ? allowedMs : refusedMs;
    if (ttl > 0 && key.length <= cachedKeyMax) this.#answers.set(key, decision, { ttl });
    return decision;
  }

  /** k8s.io/apiserver/plugin/pkg/authorizer/webhook: as the failure policy has it, and told in either case. */
  #failed(why: string): AuthorizationDecision {
    const { name, onFailure } = this.#options;
    return { decision: onFailure, reason: '', error: errorOf(name, why) };
  }

  /** Again when the network or the webhook's server failed, not when it refused. */
  async #post(review: JsonObject): Promise<JsonObject> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#poster.post(review, this.#options.timeoutMs);
      } catch (error) {
        const status = error instanceof ReviewError ? error.status : undefined;
        const mayPass = status === undefined || status === 429 || status >= 500;
        if (attempt >= attemptsMax || !mayPass || isTimeout(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs * attempt));
      }
    }
  }
}

/** Whoever waited for the whole time does not wait as long again. */
function isTimeout(error: unknown): boolean {
  return error instanceof ReviewError && (error.cause as Error | undefined)?.name === 'TimeoutError';
}

/** Where it is asked is nothing that users are told. */
function errorOf(name: string, why: string): string {
  return `webhook ${JSON.stringify(name)}: ${why}`;
}

/** SubjectAccessReviewSpec with every text field of its attributes, as expressions see it. */
function specOf(
  { user, verb, resource, path, fieldRequirements }: AuthorizationAttributes,
  workspace: Workspace,
  tellsWorkspace: boolean,
): JsonObject {
  const extra: JsonObject = {};
  for (const [key, values] of user.extra) {
    if (tellsWorkspace || key !== scopesExtra) extra[key] = [...values];
  }
  if (tellsWorkspace) {
    extra[workspaceIdExtra] = [workspace.id];
    extra[workspacePathExtra] = [workspace.path];
  }
  const who = { user: user.name, uid: user.uid ?? '', groups: [...user.groups], extra };
  if (resource === undefined) return { ...who, nonResourceAttributes: { path, verb } };
  const requirements = [...(fieldRequirements ?? [])].map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }));
  const { namespace, group, version, subresource, name } = resource;
  return {
    ...who,
    resourceAttributes: {
      namespace,
      verb,
      group,
      version,
      resource: resource.resource,
      subresource,
      name,
      ...(requirements.length === 0 ? {} : { fieldSelector: { requirements } }),
    },
  };
}
