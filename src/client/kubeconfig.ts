import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServerConnection } from './remote/connection.ts';

export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

type Fields = { readonly [key: string]: unknown };

/** Where a kubeconfig came from. `baseDirectory` absent: not from this machine. */
interface Origin {
  readonly source: string;
  readonly baseDirectory?: string | undefined;
}

interface Document {
  readonly config: Fields;
  readonly origin: Origin;
}

interface Named {
  readonly name: string;
  readonly value: Fields;
  readonly origin: Origin;
}

/**
 * Reads one context of a kubeconfig file: server, proxy, authority, client certificate or token. Files named in it are read
 * relative to it. Refused with a clear error: exec plugins and auth providers (they would run foreign programs), username
 * and password.
 */
export function loadKubeconfig(file: string, context?: string): Promise<ServerConnection> {
  return loadKubeconfigs([file], context);
}

/**
 * The same from several files, as one: of entries of one name, and of current contexts, the first file's counts
 * (k8s.io/client-go/tools/clientcmd, `KUBECONFIG`).
 */
export async function loadKubeconfigs(files: readonly string[], context?: string): Promise<ServerConnection> {
  const documents: Document[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new KubeconfigError(`cannot read kubeconfig ${file}: ${(error as Error).message}`);
    }
    documents.push(await documentOf(text, { source: file, baseDirectory: path.dirname(file) }));
  }
  return connectionOf(documents, context);
}

/**
 * `baseDirectory` absent: one that came from elsewhere. It may name no files: they would be this machine's, and what is in
 * them would go to a server of its author's choice. Throws KubeconfigError.
 */
export async function parseKubeconfig(
  text: string,
  options: Origin & { readonly context?: string | undefined },
): Promise<ServerConnection> {
  return connectionOf([await documentOf(text, options)], options.context);
}

async function documentOf(text: string, origin: Origin): Promise<Document> {
  const { parse } = await import('yaml');
  try {
    return { config: fieldsOf(parse(text)), origin };
  } catch (error) {
    // The parser's second line on shows the place in the file.
    const reason = (error as Error).message.split('\n', 1)[0]?.replace(/:$/, '');
    throw new KubeconfigError(`${origin.source} is not valid YAML: ${reason}`);
  }
}

async function connectionOf(
  documents: readonly Document[],
  context: string | undefined,
): Promise<ServerConnection> {
  const source = documents.map(({ origin }) => origin.source).join(', ');
  const contexts = named(documents, 'contexts', 'context');
  const wanted = context ?? currentContext(documents);
  const chosen = contexts.find((one) => one.name === wanted);
  if (chosen === undefined) {
    const known = [...new Set(contexts.map((one) => one.name))].join(', ');
    throw new KubeconfigError(
      `${source} has no context ${JSON.stringify(wanted)}; it has: ${known || 'none'}`,
    );
  }
  const cluster = find(named(documents, 'clusters', 'cluster'), chosen, 'cluster');
  const user = find(named(documents, 'users', 'user'), chosen, 'user');
  return {
    ...serverOf(cluster),
    ...(await credentialsOf(user)),
    caPem: await pem(cluster, 'certificate-authority'),
  };
}

function serverOf({
  name,
  value,
  origin,
}: Named): Pick<ServerConnection, 'server' | 'proxyUrl' | 'tlsServerName' | 'insecureSkipTlsVerify'> {
  const { server, 'proxy-url': proxyUrl, 'tls-server-name': tlsServerName } = value;
  if (proxyUrl !== undefined && (typeof proxyUrl !== 'string' || !URL.canParse(proxyUrl))) {
    throw new KubeconfigError(`${origin.source}: cluster ${name} has a proxy-url that is no URL`);
  }
  if (typeof server !== 'string' || !URL.canParse(server)) {
    throw new KubeconfigError(`${origin.source}: cluster ${name} has no valid server URL`);
  }
  return {
    server,
    tlsServerName: typeof tlsServerName === 'string' ? tlsServerName : undefined,
    insecureSkipTlsVerify: value['insecure-skip-tls-verify'] === true,
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
  };
}

async function credentialsOf(
  user: Named,
): Promise<Pick<ServerConnection, 'certificatePem' | 'keyPem' | 'token' | 'tokenFile'>> {
  const { name, value, origin } = user;
  if (value['exec'] !== undefined || value['auth-provider'] !== undefined) {
    throw new KubeconfigError(
      `${origin.source}: user ${name} uses an exec plugin or auth provider; give a token or a client certificate instead`,
    );
  }
  if (value['username'] !== undefined || value['password'] !== undefined) {
    throw new KubeconfigError(
      `${origin.source}: user ${name} has a username and password, which no Kubernetes since 1.19 takes; give a token or a client certificate instead`,
    );
  }
  const certificatePem = await pem(user, 'client-certificate');
  const keyPem = await pem(user, 'client-key');
  const { token, tokenFile } = value;
  if (typeof token === 'string') return { certificatePem, keyPem, token };
  if (typeof tokenFile !== 'string') return { certificatePem, keyPem, token: undefined };
  const at = fileOf('tokenFile', tokenFile, origin);
  return {
    certificatePem,
    keyPem,
    token: (await readNamed('tokenFile', tokenFile, origin)).trim(),
    tokenFile: at,
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function currentContext(documents: readonly Document[]): string {
  for (const { config } of documents) {
    const context = config['current-context'];
    if (typeof context === 'string' && context !== '') return context;
  }
  return '';
}

function named(documents: readonly Document[], list: string, field: string): Named[] {
  return documents.flatMap(({ config, origin }) => {
    const entries = config[list];
    if (!Array.isArray(entries)) return [];
    return entries.map((entry) => ({
      name: String(fieldsOf(entry)['name']),
      value: fieldsOf(fieldsOf(entry)[field]),
      origin,
    }));
  });
}

/** What a context names as its `what`. */
function find(list: readonly Named[], context: Named, what: string): Named {
  const name = context.value[what];
  const found = list.find((one) => one.name === name);
  if (found === undefined) {
    throw new KubeconfigError(`${context.origin.source} has no ${what} ${JSON.stringify(name)}`);
  }
  return found;
}

async function pem({ value, origin }: Named, field: string): Promise<string | undefined> {
  const inline = value[`${field}-data`];
  if (typeof inline === 'string') return Buffer.from(inline, 'base64').toString('utf8');
  const file = value[field];
  return typeof file === 'string' ? readNamed(field, file, origin) : undefined;
}

async function readNamed(field: string, file: string, origin: Origin): Promise<string> {
  const at = fileOf(field, file, origin);
  try {
    return await readFile(at, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`${origin.source}: cannot read ${field} ${file}: ${(error as Error).message}`);
  }
}

function fileOf(field: string, file: string, { baseDirectory, source }: Origin): string {
  if (baseDirectory !== undefined) return path.resolve(baseDirectory, file);
  throw new KubeconfigError(`${source}: ${field} names a file; give what is in it (${field}-data or token)`);
}
