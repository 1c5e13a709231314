import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ensurePki, issueClientCertificate, type ServerPki } from '#apiserver/pki/pki.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import type { ServerConnection } from '#client/remote/connection.ts';

/** Certificates for servers and clients on loopback, made in a folder that is gone before this resolves. */
export async function createTestPki(): Promise<ServerPki> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'cellplane-pki-'));
  try {
    return await ensurePki({ directory, hosts: ['127.0.0.1'], now: new Date() });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A connection as the user of that name and those groups. */
export function connectionAs(
  pki: ServerPki,
  server: string,
  user: { readonly name: string; readonly groups: readonly string[] },
): ServerConnection {
  const { certificatePem, keyPem } = issueClientCertificate(pki.ca, {
    commonName: user.name,
    organizations: [...user.groups],
    days: 1,
  });
  return { server, caPem: pki.ca.certificatePem, certificatePem, keyPem };
}

export function adminConnectionTo(pki: ServerPki, server: string): ServerConnection {
  return connectionAs(pki, server, { name: 'test-admin', groups: [systemMasters] });
}
