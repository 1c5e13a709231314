import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import { PkiError, type ServerPki } from './pki.ts';

/**
 * Servers on one store must have the same CA and service-account key: else what one signs, the other refuses. The first
 * one leaves their fingerprints in the store (for this life of it: a restored store may have others), the others compare.
 * Throws PkiError.
 */
export async function checkSharedPki(
  storage: CachedStorage,
  pki: ServerPki,
  directory: string,
): Promise<void> {
  const key = objectKey({
    group: 'internal.cellplane.io',
    resource: 'pki',
    clusterId: storage.incarnationId,
    namespace: '',
    name: 'fingerprints',
  });
  const ours = fingerprintsOf(pki);
  await storage.awaitFresh();
  let stored = storage.peek(key)?.value;
  if (stored === undefined) {
    const guards = [{ key, revision: 0 as Revision }];
    const value = Buffer.from(JSON.stringify(ours));
    const result = await storage.transact({ guards, operations: [{ type: 'put', key, value }] });
    if (result.committed) return;
    stored = result.current?.value;
  }
  const theirs: unknown = JSON.parse(stored?.toString() ?? '{}');
  for (const [name, fingerprint] of Object.entries(ours)) {
    if ((theirs as { readonly [name: string]: unknown })[name] === fingerprint) continue;
    throw new PkiError(
      directory,
      `${name} differs from that of the other servers on this store; copy ca.crt, ca.key and service-account.key ` +
        'from one of them before the first start',
    );
  }
}

/** Of public keys: a CA that is renewed with its own key stays the same. */
function fingerprintsOf(pki: ServerPki): { readonly [file: string]: string } {
  return {
    'ca.key': fingerprint(new X509Certificate(pki.ca.certificatePem).publicKey),
    'service-account.key': fingerprint(createPublicKey(pki.serviceAccountKey)),
  };
}

function fingerprint(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}
