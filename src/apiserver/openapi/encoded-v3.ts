import { createHash } from 'node:crypto';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';
import { type CachedDocument, DocumentCache } from '../discovery/document-cache.ts';
import { documentV3 } from './document-v3.ts';
import { GnosticEncoder } from './gnostic-encode.ts';
import { messagesV3, wrappersV3 } from './gnostic-v3.ts';
import { memoizeByGroupVersion } from './group-version-memo.ts';
import { ProtoWriter } from './proto-writer.ts';

const cacheBytesMax = 64 * 1024 * 1024;
const cache = new DocumentCache(cacheBytesMax);

/**
 * The hash of a group version's document, which is the ETag of both its forms. Needs the document once; afterwards the
 * hash is kept with the definitions, while the document may leave the cache.
 */
export const hashV3 = memoizeByGroupVersion((group, groupVersion): string => {
  const body = Buffer.from(JSON.stringify(documentV3(group, groupVersion)));
  const hash = createHash('sha512').update(body).digest('hex').toUpperCase();
  cache.get(`json ${hash}`, () => ({ body, etag: `"${hash}"` }));
  return hash;
});

export function jsonV3(group: string, groupVersion: ApiGroupVersion): CachedDocument {
  const hash = hashV3(group, groupVersion);
  return cache.get(`json ${hash}`, () => ({
    body: Buffer.from(JSON.stringify(documentV3(group, groupVersion))),
    etag: `"${hash}"`,
  }));
}

/** As gnostic's openapi.v3.Document. */
export function protobufV3(group: string, groupVersion: ApiGroupVersion): CachedDocument {
  const hash = hashV3(group, groupVersion);
  return cache.get(`protobuf ${hash}`, () => {
    const writer = new ProtoWriter();
    new GnosticEncoder(messagesV3, wrappersV3, writer).message('Document', documentV3(group, groupVersion));
    return { body: writer.finish(), etag: `"${hash}"` };
  });
}
