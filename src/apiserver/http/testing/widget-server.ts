import type { KubeObject } from '#apimachinery/object.ts';
import { flowConfigurationOf } from '../../flow-control/flow-configurations.ts';
import { FlowController } from '../../flow-control/flow-controller.ts';
import { encodeStored } from '../../registry/encode-stored.ts';
import { entryOf } from '../../registry/stored-object.ts';
import type { ResourceContext } from '../../request/context.ts';
import type { VerbRequest } from '../../verbs/request.ts';
import type { VerbResult } from '../../verbs/result.ts';
import type { HttpServerDependencies } from '../dependencies.ts';
import type { PreparedResponse } from '../prepared-response.ts';
import { definition, resolverOf, schemeOf, startServer, type TestServer, widget } from './test-server.ts';

/** Only for tests: a server of widgets whose verbs the test plays. */

const widgets = definition();
const reviews = definition({ kind: 'Review', namespaced: false, virtual: true });
const customs = definition({ kind: 'Custom', group: 'custom.example.org', origin: 'custom' });
export const scheme = schemeOf(widgets, reviews, customs);
export const served = scheme.lookupResource('example.org', 'v1', 'widgets')!;
export const widgetPath = '/apis/example.org/v1/namespaces/n/widgets/a';

export type Execute = (context: ResourceContext, request: VerbRequest) => VerbResult | Promise<VerbResult>;

export function entryFor(object: KubeObject, revision = 7) {
  const key = `/example.org/widgets/root/n/${object.metadata.name}`;
  return entryOf({ key: key as never, value: encodeStored(object, widgets), revision: revision as never });
}

/** Answers with one widget. */
export const single: Execute = () => ({
  type: 'entry',
  code: 200,
  served,
  entry: entryFor(widget('a', { size: 3, flag: 'no' })),
});

/** Answers with these and says that five more are left. */
export const listOf =
  (objects: KubeObject[]): Execute =>
  () => ({
    type: 'list',
    served,
    entries: objects.map((one) => entryFor(one)),
    revision: 9 as never,
    page: () => ({ continue: 'next', remainingItemCount: 5 }),
  });

/** How long the connection of a refused request is left unread here. */
export const parkMs = 150;

export function flowControlOf(levels: readonly KubeObject[], seatsMax: number): FlowController {
  const server = flowConfigurationOf([], levels);
  return new FlowController({
    configurations: { server, of: () => undefined },
    seatsOf: () => 1,
    limits: { seatsMax, refusalDelayMs: 10, parkMs },
    // On a slow machine a workspace would be charged for what the machine takes, and have fewer seats.
    now: () => 0,
  });
}

/** A server with the workspaces `root`, `root:acme` and `root:acme:shop` and with documents that the test invented. */
export function startWidgetServer(
  execute: Execute,
  more: Partial<HttpServerDependencies> = {},
): Promise<TestServer> {
  return startServer({
    resolver: resolverOf(scheme, 'root:acme', 'root:acme:shop'),
    verbs: { execute },
    discovery: (_scheme, path) =>
      path === '/api'
        ? {
            code: 200,
            headers: { 'Content-Type': 'application/json', ETag: '"x"' },
            body: '{"kind":"APIVersions"}',
          }
        : undefined,
    openapi: (_scheme, path, query, { ifNoneMatch }): PreparedResponse =>
      ifNoneMatch === '"y"'
        ? { code: 304, headers: { ETag: '"y"' }, body: undefined }
        : {
            code: 200,
            headers: { 'Content-Type': 'application/json' },
            body: Buffer.from(JSON.stringify({ path, hash: query.get('hash'), pad: 'x'.repeat(200_000) })),
          },
    openId: {
      jwks: () => ({ keys: [] }),
      openidConfiguration: (base) => ({ jwks_uri: `${base}/openid/v1/jwks` }),
    },
    limits: { bodyBytesMax: 1000 },
    flowControl: flowControlOf([], 600),
    ...more,
  });
}
