import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServerConnection } from './remote/connection.ts';

export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

interface Named<T> {
  readonly name: string;
  readonly value: T;
}

type Fields = { readonly [key: string]: unknown };

/**
 * Reads one context of a kubeconfig file: server, proxy, authority, client certificate or token. Files named in it are read
 * relative to it. Refused with a clear error: exec plugins and auth providers (they would run foreign programs), username
 * and password.
 */
export async function loadKubeconfig(file: string, context?: string): Promise<ServerConnection> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`cannot read kubeconfig ${file}: ${(error as Error).message}`);
  }
  return parseKubeconfig(text, { context, baseDirectory: path.dirname(file), source: file });
}

/**
 * `baseDirectory` absent: one that came from elsewhere. It may name no files: they would be this machine's, and what is in
 * them would go to a server of its author's choice. Throws KubeconfigError.
 */
export async function parseKubeconfig(
  text: string,
  options: {
    readonly context?: string | undefined;
    readonly baseDirectory?: string | undefined;
    readonly source: string;
  },
): Promise<ServerConnection> {
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new KubeconfigError(`${options.source} is not valid YAML: ${(error as Error).message}`);
  }
  const config = fieldsOf(document);
  const contexts = named(config['contexts'], 'context');
  const wanted =
    options.context ?? (typeof config['current-context'] === 'string' ? config['current-context'] : '');
  const chosen = contexts.find((one) => one.name === wanted);
  if (chosen === undefined) {
    const known = contexts.map((one) => one.name).join(', ');
    throw new KubeconfigError(
      `${options.source} has no context ${JSON.stringify(wanted)}; it has: ${known || 'none'}`,
    );
  }
  const cluster = find(
    named(config['clusters'], 'cluster'),
    chosen.value['cluster'],
    'cluster',
    options.source,
  );
  const user = find(named(config['users'], 'user'), chosen.value['user'], 'user', options.source);
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw new KubeconfigError(
      `${options.source}: user ${String(chosen.value['user'])} uses an exec plugin or auth provider; give a token or a client certificate instead`,
    );
  }
  if (user['username'] !== undefined || user['password'] !== undefined) {
    throw new KubeconfigError(
      `${options.source}: user ${String(chosen.value['user'])} has a username and password, which no Kubernetes since 1.19 takes; give a token or a client certificate instead`,
    );
  }
  const proxyUrl = cluster['proxy-url'];
  if (proxyUrl !== undefined && (typeof proxyUrl !== 'string' || !URL.canParse(proxyUrl))) {
    throw new KubeconfigError(
      `${options.source}: cluster ${String(chosen.value['cluster'])} has a proxy-url that is no URL`,
    );
  }
  const server = cluster['server'];
  if (typeof server !== 'string' || !URL.canParse(server)) {
    throw new KubeconfigError(
      `${options.source}: cluster ${String(chosen.value['cluster'])} has no valid server URL`,
    );
  }
  const { baseDirectory, source } = options;
  const read = (value: Fields, field: string) => pem(value, field, baseDirectory, source);
  const tokenFile =
    typeof user['token'] !== 'string' && typeof user['tokenFile'] === 'string'
      ? fileOf('tokenFile', user['tokenFile'], baseDirectory, source)
      : undefined;
  const token =
    typeof user['token'] === 'string'
      ? user['token']
      : tokenFile === undefined
        ? undefined
        : (await readFile(tokenFile, 'utf8')).trim();
  return {
    server,
    caPem: await read(cluster, 'certificate-authority'),
    certificatePem: await read(user, 'client-certificate'),
    keyPem: await read(user, 'client-key'),
    token,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    tlsServerName: typeof cluster['tls-server-name'] === 'string' ? cluster['tls-server-name'] : undefined,
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function named(list: unknown, field: string): Named<Fields>[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry) => ({
    name: String(fieldsOf(entry)['name']),
    value: fieldsOf(fieldsOf(entry)[field]),
  }));
}

function find(list: Named<Fields>[], name: unknown, what: string, source: string): Fields {
  const found = list.find((one) => one.name === name);
  if (found === undefined) throw new KubeconfigError(`${source} has no ${what} ${JSON.stringify(name)}`);
  return found.value;
}

async function pem(
  fields: Fields,
  field: string,
  baseDirectory: string | undefined,
  source: string,
): Promise<string | undefined> {
  const inline = fields[`${field}-data`];
  if (typeof inline === 'string') return Buffer.from(inline, 'base64').toString('utf8');
  const file = fields[field];
  if (typeof file !== 'string') return undefined;
  const at = fileOf(field, file, baseDirectory, source);
  try {
    return await readFile(at, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`${source}: cannot read ${field} ${file}: ${(error as Error).message}`);
  }
}

function fileOf(field: string, file: string, baseDirectory: string | undefined, source: string): string {
  if (baseDirectory !== undefined) return path.resolve(baseDirectory, file);
  throw new KubeconfigError(`${source}: ${field} names a file; give what is in it (${field}-data or token)`);
}
