import { randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServerConnection } from '#client/remote/connection.ts';

export interface KubeconfigContext {
  readonly name: string;
  readonly connection: ServerConnection;
  readonly namespace?: string | undefined;
}

/** Renders a kubeconfig (JSON, which every reader of YAML takes) whose clusters and users are named as their context. */
export function renderKubeconfig(contexts: readonly KubeconfigContext[], current: string): string {
  const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    preferences: {},
    'current-context': current,
    clusters: contexts.map(({ name, connection }) => ({
      name,
      cluster: {
        server: connection.server,
        ...(connection.caPem === undefined ? {} : { 'certificate-authority-data': base64(connection.caPem) }),
        ...(connection.tlsServerName === undefined ? {} : { 'tls-server-name': connection.tlsServerName }),
        ...(connection.insecureSkipTlsVerify === true ? { 'insecure-skip-tls-verify': true } : {}),
      },
    })),
    users: contexts.map(({ name, connection }) => ({
      name,
      user: {
        ...(connection.certificatePem === undefined
          ? {}
          : { 'client-certificate-data': base64(connection.certificatePem) }),
        ...(connection.keyPem === undefined ? {} : { 'client-key-data': base64(connection.keyPem) }),
        ...(connection.token === undefined ? {} : { token: connection.token }),
      },
    })),
    contexts: contexts.map(({ name, namespace }) => ({
      name,
      context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) },
    })),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Writes a file that holds keys: readable by its owner only, replaced at once, never half. */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
  await writeFile(partial, content, { mode: 0o600 });
  await rename(partial, file);
}
