import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { silentLogger } from '#client/logger.ts';
import { TokenFileAuthenticator } from '../../authn/token-file.ts';
import { UnionAuthenticator } from '../../authn/union-authenticator.ts';
import { X509Authenticator } from '../../authn/x509.ts';
import { alwaysAllowPathsAuthorizer } from '../../authz/always-allow-paths.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import { UnionAuthorizer } from '../../authz/union-authorizer.ts';
import { createCertificate } from '../../pki/certificate.ts';
import { type CertificateAuthority, type CertificatePair, issueClientCertificate } from '../../pki/pki.ts';
import type { ClusterId, Workspace, WorkspaceResolver } from '../../workspace/workspace.ts';
import type { HttpServerDependencies } from '../dependencies.ts';
import { createHttpServer, type HttpServer } from '../server.ts';

/** Only for tests: a server on loopback over fake or real verbs, and clients for both protocols. */

const dayMs = 24 * 60 * 60 * 1000;

export interface TestPki {
  readonly ca: CertificateAuthority;
  readonly serving: CertificatePair;
}

export function makePki(): TestPki {
  const name = { commonName: 'test-ca' };
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const notBefore = new Date(Date.now() - dayMs);
  const notAfter = new Date(Date.now() + dayMs);
  const pem = (one: typeof key): string => one.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certificatePem = createCertificate({
    subject: name,
    subjectKey: key,
    issuer: name,
    issuerKey: key,
    notBefore,
    notAfter,
    isCertificateAuthority: true,
  });
  const servingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const servingPem = createCertificate({
    subject: { commonName: 'test' },
    subjectKey: servingKey,
    issuer: name,
    issuerKey: key,
    notBefore,
    notAfter,
    isCertificateAuthority: false,
    extendedKeyUsages: ['serverAuth'],
    hosts: ['localhost', '127.0.0.1'],
  });
  return {
    ca: { name, certificatePem, keyPem: pem(key), key, notAfter },
    serving: { certificatePem: servingPem, keyPem: pem(servingKey) },
  };
}

export function clientCertificate(
  pki: TestPki,
  commonName: string,
  organizations: string[],
): CertificatePair {
  return issueClientCertificate(pki.ca, { commonName, organizations, days: 1 });
}

/** A definition with everything that rendering looks at. */
export function definition(changed: Partial<ResourceDefinition> = {}, version = 'v1'): ResourceDefinition {
  const kind = changed.kind ?? 'Widget';
  return {
    group: 'example.org',
    resource: `${kind.toLowerCase()}s`,
    kind,
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    storedAs: { group: changed.group ?? 'example.org', resource: `${kind.toLowerCase()}s` },
    storageVersion: version,
    strategy: {},
    origin: 'system',
    versions: [
      {
        version,
        served: true,
        schema: {},
        verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
        subresources: [
          {
            name: 'status',
            kind,
            group: changed.group ?? 'example.org',
            version,
            verbs: ['get', 'update', 'patch'],
          },
        ],
        columns: [
          {
            name: 'Name',
            type: 'string',
            format: 'name',
            priority: 0,
            value: (object) => object.metadata.name ?? '',
          },
          {
            name: 'Size',
            type: 'integer',
            priority: 0,
            value: (object) => ((object['spec'] as JsonObject | undefined)?.['size'] as number) ?? null,
          },
        ],
        selectableFields: new Map(),
      },
    ],
    ...changed,
  };
}

export function schemeOf(...definitions: ResourceDefinition[]): Scheme {
  const find = (group: string, version: string, match: (one: ResourceDefinition) => boolean) => {
    for (const one of definitions) {
      const served = one.versions.find((candidate) => candidate.version === version);
      if (one.group === group && served !== undefined && match(one))
        return { definition: one, version: served };
    }
    return undefined;
  };
  return {
    hash: 'test',
    definitions,
    lookupResource: (group, version, resource) => find(group, version, (one) => one.resource === resource),
    lookupKind: (group, version, kind) => find(group, version, (one) => one.kind === kind),
    definitionOf: (group, resource) =>
      definitions.find((one) => one.group === group && one.resource === resource),
    hasGroupVersion: (group, version) => find(group, version, () => true) !== undefined,
  };
}

export function resolverOf(scheme: Scheme, ...paths: string[]): WorkspaceResolver {
  const workspaces = new Map<string, Workspace>();
  for (const path of ['root', ...paths]) {
    const id = path.replaceAll(':', '') as ClusterId;
    const workspace: Workspace = { id, path, type: 'universal', phase: 'Ready', scheme, inert: false };
    workspaces.set(path, workspace).set(id, workspace);
  }
  return {
    resolve(ref) {
      if (!/^[a-z0-9:-]+$/.test(ref))
        throw new ApiError('BadRequest', `malformed workspace ${JSON.stringify(ref)}`);
      const found = workspaces.get(ref);
      if (found === undefined)
        throw new ApiError('NotFound', `workspaces.tenancy.kcp.io ${JSON.stringify(ref)} not found`);
      return found;
    },
    byId: (id) => workspaces.get(id),
    wildcardScheme: () => scheme,
  };
}

export const tokens = 'admin-token,admin,1,"system:masters"\njane-token,jane,2,dev\n';

/** `system:masters` may do all, everyone may read health. */
export const mastersOnly: Authorizer = new UnionAuthorizer([
  {
    authorize: ({ user }) => ({
      decision: user.groups.includes('system:masters') ? 'allow' : 'noOpinion',
      reason: '',
    }),
  },
  alwaysAllowPathsAuthorizer,
]);

export interface TestServer {
  readonly server: HttpServer;
  readonly pki: TestPki;
  readonly port: number;
  readonly origin: string;
  get(path: string, headers?: OutgoingHttpHeaders, options?: CallOptions): Promise<Answer>;
  call(
    method: string,
    path: string,
    body: string | Buffer | undefined,
    headers?: OutgoingHttpHeaders,
    options?: CallOptions,
  ): Promise<Answer>;
  http2(): Promise<ClientHttp2Session>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly certificate?: CertificatePair | undefined;
  /** Default: the admin's token. Empty: none. */
  readonly token?: string | undefined;
}

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
  readonly text: string;
  json(): JsonObject;
}

let sharedPki: TestPki | undefined;

export async function startServer(
  dependencies: Partial<HttpServerDependencies> & Pick<HttpServerDependencies, 'verbs' | 'resolver'>,
): Promise<TestServer> {
  sharedPki ??= makePki();
  const pki = sharedPki;
  const server = createHttpServer({
    listen: { port: 0 },
    tls: { ...pki.serving, clientCaPem: pki.ca.certificatePem },
    authenticator: new UnionAuthenticator({
      authenticators: [new X509Authenticator()],
      tokens: [new TokenFileAuthenticator(tokens)],
    }),
    authorizer: mastersOnly,
    discovery: () => undefined,
    openapi: () => undefined,
    healthChecks: [],
    version: '0.1.0',
    logger: silentLogger,
    // A slow machine takes its time for what is under way; who leaves something open must not wait for this.
    drainTimeoutMs: 60_000,
    ...dependencies,
  });
  const { port } = await server.listen();
  const agents = new Map<CertificatePair | undefined, Agent>();
  const agentFor = (certificate: CertificatePair | undefined): Agent => {
    const known = agents.get(certificate);
    if (known !== undefined) return known;
    const agent = new Agent({
      keepAlive: true,
      ca: pki.ca.certificatePem,
      ...(certificate === undefined ? {} : { cert: certificate.certificatePem, key: certificate.keyPem }),
    });
    agents.set(certificate, agent);
    return agent;
  };
  const call: TestServer['call'] = async (
    method,
    path,
    body,
    headers = {},
    { certificate, token = 'admin-token' } = {},
  ) => {
    const request = httpsRequest({
      host: 'localhost',
      port,
      method,
      path,
      agent: agentFor(certificate),
      headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...headers },
    });
    // A connection that breaks behind the head of an answer breaks the answer, which is read below.
    request.on('error', () => {});
    request.end(body);
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return answer(response.statusCode ?? 0, response.headers as IncomingHttpHeaders, Buffer.concat(chunks));
  };
  return {
    server,
    pki,
    port,
    origin: `https://localhost:${port}`,
    call,
    get: (path, headers, options) => call('GET', path, undefined, headers, options),
    async http2() {
      const session = connect(`https://localhost:${port}`, { ca: pki.ca.certificatePem });
      // A connection that breaks fails the requests on it; after them it is nobody's failure.
      session.on('error', () => {});
      await once(session, 'connect');
      return session;
    },
    async stop() {
      for (const agent of agents.values()) agent.destroy();
      await server.stop();
    },
  };
}

export function answer(code: number, headers: IncomingHttpHeaders, raw: Buffer): Answer {
  const text = raw.toString('utf8');
  return { code, headers, raw, text, json: () => JSON.parse(text) as JsonObject };
}

export async function http2Call(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Answer> {
  const stream = session.request(
    { ':path': path, authorization: 'Bearer admin-token', ...headers },
    { endStream: body === undefined },
  );
  if (body !== undefined) stream.end(body);
  const [found] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return answer(Number(found[':status']), found, Buffer.concat(chunks));
}

/** A connection on which the test writes its own bytes. */
export async function rawConnection(server: TestServer): Promise<TLSSocket> {
  const socket = connectTls({ port: server.port, host: 'localhost', ca: server.pki.ca.certificatePem });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

/** Resolves when the connection is closed, in good order or reset. */
export function closeOf(socket: TLSSocket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

export function widget(name: string, spec: JsonObject = {}, namespace = 'n'): KubeObject {
  return {
    apiVersion: 'example.org/v1',
    kind: 'Widget',
    metadata: { name, namespace, uid: `uid-${name}`, labels: { app: name } },
    spec,
  };
}
