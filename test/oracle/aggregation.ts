import { setTimeout } from 'node:timers/promises';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import type { NormalAnswer, Normaliser } from './normalise.ts';
import { namespace, type Pair, pathAtOurs, type Side } from './pair.ts';
import { scriptedGroup } from './scripted-extension.ts';

export const sides = ['oracle', 'ours'] as const;
export const widgets = `/apis/${scriptedGroup}/v1/namespaces/${namespace}/widgets`;

const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices';
const services = `/api/v1/namespaces/${namespace}/services`;

/** The host that a server behind an APIService must have a certificate for. */
export const serviceHost = (name: string) => `${name}.${namespace}.svc`;

/** A Service that leads to this machine, at both. */
export async function makeService(pair: Pair, name: string, spec?: JsonObject): Promise<void> {
  const own = spec ?? { type: 'ExternalName', externalName: 'localhost' };
  await made(pair, { path: services, body: JSON.stringify(object('v1', 'Service', name, own)) });
}

export async function makeApiService(
  pair: Pair,
  group: string,
  spec: { readonly service: string; readonly port: number; readonly caBundle?: string | undefined },
  version = 'v1',
): Promise<void> {
  const { service, port, caBundle } = spec;
  const body = object('apiregistration.k8s.io/v1', 'APIService', `${version}.${group}`, {
    ...{ group, version, groupPriorityMinimum: 1500, versionPriority: 10 },
    ...(caBundle === undefined ? { insecureSkipTLSVerify: true } : { caBundle }),
    service: { namespace, name: service, port },
  });
  await made(pair, { path: apiServices, body: JSON.stringify(body) });
}

/** Until both say so of it, or as long as `ms`, whichever comes first. */
export async function conditionsOf(pair: Pair, name: string, reason: string, ms = 60_000) {
  const path = `${apiServices}/${name}`;
  const read = async () => {
    const { oracle, ours } = await pair.send({ path });
    return { oracle: conditionOf(oracle), ours: conditionOf(ours) };
  };
  const isTold = async () => {
    const told = await read();
    return told.oracle?.['reason'] === reason && told.ours?.['reason'] === reason;
  };
  await Promise.race([
    until(reason, isTold, { timeoutMs: ms, everyMs: 50 }).catch(() => {}),
    setTimeout(ms, undefined, { ref: false }),
  ]);
  return read();
}

function conditionOf({ json }: RawAnswer): JsonObject | undefined {
  const conditions = (json?.['status'] as JsonObject | undefined)?.['conditions'];
  return (conditions as JsonObject[] | undefined)?.find(({ type }) => type === 'Available');
}

function object(apiVersion: string, kind: string, name: string, spec: JsonObject): JsonObject {
  return { apiVersion, kind, metadata: { name }, spec };
}

async function made(pair: Pair, request: RawRequest): Promise<void> {
  for (const [side, { status, text }] of Object.entries(await pair.send(request)))
    if (status !== 201) throw new Error(`${side}: ${request.path}: ${status} ${text}`);
}

/** Of a connection, or never the same. */
const passedOver: ReadonlySet<string> = new Set([
  ...['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'trailer'],
]);
const chance = /^(?:audit-id|x-kubernetes-pf-.*)$/;

/** With every header: what is passed back is for the client to see. */
export function wholeAnswer(normaliser: Normaliser, answer: RawAnswer): NormalAnswer {
  const { status, headers, body } = normaliser.answer(answer);
  const all: { [name: string]: string } = { ...headers };
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined || passedOver.has(name) || all[name] !== undefined) continue;
    all[name] = chance.test(name) ? 'present' : Array.isArray(value) ? value.join(' | ') : value;
  }
  return { status, headers: all, body };
}

/** What is asked of what a scripted server answers. */
export function* scriptedRequests(): Generator<RawRequest> {
  const at = (name: string) => `${widgets}/${name}`;
  const plain = ['missing', 'teapot', 'broken', 'busy', 'away', 'unauthorized', 'text', 'nothing', 'untyped'];
  const moved = ['fresh', 'moved', 'moved-away', 'moved-nowhere', 'created', 'warned', 'headers'];
  for (const name of [...plain, ...moved, 'garbage', 'gone']) yield { path: at(name) };
  yield { path: at('packed'), headers: { 'accept-encoding': 'gzip' } };
  for (const method of ['HEAD', 'OPTIONS', 'DELETE']) yield { path: at('missing'), method };
  yield { path: at('gone'), body: '{}' };
  const seen = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'test/1' };
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const body = method === 'GET' ? undefined : JSON.stringify({ method });
    yield { path: at('echo'), method, headers: seen, body };
  }
  const claims = {
    'x-remote-user': 'root',
    'x-remote-group': 'system:masters',
    'x-remote-extra-a': 'b',
    'x-remote-uid': '1',
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-host': 'elsewhere.example',
    'x-forwarded-proto': 'http',
    'x-forwarded-uri': '/elsewhere',
  };
  yield { path: at('echo'), headers: { ...seen, ...claims } };
  const others = {
    ...{ cookie: 'a=1', 'x-own': 'own', 'if-none-match': '"x"', origin: 'https://page.example' },
    ...{ 'audit-id': 'given', connection: 'x-hop', 'x-hop': '1' },
  };
  yield { path: at('echo'), headers: { ...seen, ...others } };
  const groups = ['dev', 'öps', 'system:masters'];
  const user = { 'impersonate-user': 'jäne', 'impersonate-group': groups, 'impersonate-uid': 'u1' };
  yield {
    path: at('echo'),
    headers: { ...seen, ...latin1(user), 'impersonate-extra-example.org%2fkey': 'v' },
  };
  for (const query of [
    '?limit=5',
    '?b=1&a=2&a=1',
    '?a',
    '?watch=false',
    '?labelSelector=a%3Db%2Cc',
    '?a=%zz',
    '?a;b',
  ])
    yield { path: at('echo') + query, headers: seen };
  const names = [
    'a%2Fb/echo',
    'a%20b/echo',
    'a+b/echo',
    'a:b/echo',
    '%C3%A4/echo',
    'a//echo',
    'a/./echo',
    'a/../echo',
  ];
  for (const name of [...names, 'echo/', 'a;b/echo', "a'b(c)*!/echo"])
    yield { path: at(name), headers: seen };
  yield { path: at('echo'), headers: seen, body: 'x'.repeat(4_000_000), contentType: 'text/plain' };
  yield { path: `/apis/${scriptedGroup}/v1` };
  yield { path: `/apis/${scriptedGroup}/v1/` };
  yield { path: `/apis/${scriptedGroup}` };
  yield { path: `/apis/${scriptedGroup}/` };
  yield { path: `/apis/${scriptedGroup}/v2` };
  yield { path: `/apis/${scriptedGroup}/v2/widgets` };
  yield { path: `/apis/${scriptedGroup}`, body: '{}' };
  const nobody = { 'impersonate-user': 'eve' };
  for (const path of [at('echo'), `/apis/${scriptedGroup}/v1`, widgets]) yield { path, headers: nobody };
}

function latin1(headers: { readonly [name: string]: string | string[] }) {
  const text = (value: string) => Buffer.from(value, 'utf8').toString('latin1');
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(text) : text(value),
    ]),
  );
}

/** What comes back on a connection that asks for another protocol, until it says no more. */
export async function upgraded(
  pair: Pair,
  side: Side,
  name: string,
  protocol: string,
): Promise<NormalAnswer> {
  const path = side === 'ours' ? pathAtOurs(`${widgets}/${name}`) : `${widgets}/${name}`;
  const socket = await pair.connect(side);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (/^HTTP\/1.1 101 /.test(text) && text.endsWith('\r\n\r\n')) socket.write('hello');
    if (text.endsWith('echo hello')) socket.end();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const isClosed = closed.then(() => true);
  const ended = await Promise.race([isClosed, setTimeout(5_000, false, { ref: false })]);
  socket.destroy();
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers: { [name: string]: string } = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const header = line.slice(0, colon).toLowerCase();
    if (!passedOver.has(header)) headers[header] = chance.test(header) ? 'present' : line.slice(colon + 2);
  }
  const body: JsonValue = rest.join('\r\n\r\n').replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, '');
  return { status: Number(first.split(' ')[1] ?? 0), headers, body: { text: body, ended } };
}
