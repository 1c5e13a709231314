import type { Express, NextFunction, Request, Response } from 'express';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { toApiError } from './answers/errors.ts';
import { sendBody, sendError, sendJson, sendNotFound, sendPrepared, sendText } from './answers/respond.ts';
import type { HttpServerDependencies } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { answerHealth, type HealthCheck } from './health.ts';
import { versionInfo } from './version-info.ts';

/** Where the chain leaves what it found out about a request that it hands to Express. */
export const exchanges = new WeakMap<object, Exchange>();

const metadataMaxAgeSeconds = 3_600;

export interface PlainRouteTools {
  readonly dependencies: HttpServerDependencies;
  readonly checks: () => readonly HealthCheck[];
  readonly metricsText: () => string;
}

/** Everything beside resources, discovery and OpenAPI: health, version, metrics, keys, mounted pages. */
export function configurePlainRoutes(app: Express, tools: PlainRouteTools): void {
  const { dependencies } = tools;
  const get = (path: string | RegExp, serve: (exchange: Exchange) => void | Promise<void>): void => {
    app.get(path, (request: Request) => serve(exchangeOf(request)));
  };

  get(/^\/(?:healthz|livez|readyz)(?:\/|$)/, async (exchange) => {
    const { info } = exchange;
    const answer = await answerHealth(info.path, info.query, tools.checks(), dependencies.logger);
    if (answer === undefined) sendNotFound(exchange);
    else sendText(exchange, answer.code, answer.text);
  });
  get('/version', (exchange) => sendJson(exchange, 200, versionInfo(dependencies.version)));
  get('/metrics', async (exchange) => {
    // KCP.md, Addressing: metrics are the process's, not a workspace's.
    if (exchange.info.hasClusterPrefix) {
      throw new ApiError('NotImplemented', 'metrics are served without a workspace only');
    }
    const text = tools.metricsText() + ((await dependencies.metricsText?.()) ?? '');
    await sendBody(exchange, 200, 'text/plain; version=0.0.4; charset=utf-8', Buffer.from(text), 1024);
  });
  get('/', (exchange) => sendJson(exchange, 200, { paths: indexPaths(dependencies) }));
  const { openId } = dependencies;
  if (openId !== undefined) {
    get('/openid/v1/jwks', (exchange) => sendMetadata(exchange, 'application/jwk-set+json', openId.jwks()));
    get('/.well-known/openid-configuration', (exchange) => {
      const host = exchange.request.headers['host'] ?? 'localhost';
      return sendMetadata(exchange, 'application/json', openId.openidConfiguration(`https://${host}`));
    });
  }
  for (const { path, router } of dependencies.mounts ?? []) app.use(path, router);
  app.use((request: Request) => sendNotFound(exchangeOf(request)));
  app.use((error: unknown, request: Request, _response: Response, _next: NextFunction) => {
    const exchange = exchangeOf(request);
    const fields = { auditId: exchange.auditId, method: request.method, url: request.url };
    sendError(exchange, toApiError(error, dependencies.logger, fields));
  });
}

/** May be kept by whoever verifies tokens (k8s.io/kubernetes/pkg/routes/openidmetadata.go): keys are added before they sign. */
function sendMetadata(exchange: Exchange, contentType: string, document: JsonObject): Promise<void> {
  const headers = {
    'Content-Type': contentType,
    'Cache-Control': `public, max-age=${metadataMaxAgeSeconds}`,
  };
  return sendPrepared(
    exchange,
    { code: 200, headers, body: JSON.stringify(document) },
    Number.POSITIVE_INFINITY,
  );
}

function exchangeOf(request: object): Exchange {
  const exchange = exchanges.get(request);
  if (exchange === undefined) throw new Error('a request came to Express past the chain');
  return exchange;
}

function indexPaths({ openId, mounts = [] }: HttpServerDependencies): string[] {
  const paths = [
    '/api',
    '/apis',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ];
  if (openId !== undefined) paths.push('/.well-known/openid-configuration', '/openid/v1/jwks');
  return [...paths, ...mounts.map(({ path }) => path)].sort();
}
