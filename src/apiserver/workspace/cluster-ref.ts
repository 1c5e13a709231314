import { badRequest } from '#apimachinery/api-error.ts';
import { RandomPool } from '#apimachinery/random-pool.ts';
import type { ClusterId } from './workspace.ts';

export const rootClusterId = 'root' as ClusterId;

const idPattern = /^[0-9a-z]{16}$/;
const refPattern =
  /^(?:system:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Longest path in segments: `root` and what lies below it. */
export const workspaceDepthMax = 16;
/** Longest ref in characters that is looked at at all: every segment at its longest. */
const refLengthMax = workspaceDepthMax * 64;

/** Whether the text has the form of a generated logical-cluster name. */
export function isGeneratedClusterId(text: string): boolean {
  return idPattern.test(text);
}

/** Throws 400 unless the text could name a workspace (KCP.md, Addressing). */
export function checkClusterRef(ref: string): void {
  if (ref.length > refLengthMax || !refPattern.test(ref)) {
    throw badRequest(`invalid cluster: ${JSON.stringify(ref.slice(0, 256))} does not match the regex`);
  }
}

/** `root:acme:shop` → `root:acme`; undefined for a path of one segment. */
export function parentPathOf(path: string): string | undefined {
  const colon = path.lastIndexOf(':');
  return colon < 0 ? undefined : path.slice(0, colon);
}

export function workspaceNameOf(path: string): string {
  return path.slice(path.lastIndexOf(':') + 1);
}

export function depthOf(path: string): number {
  return path.split(':').length;
}

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';
const pool = new RandomPool(4096);

/** A new logical-cluster name: 16 random base36 characters, 82 bits. */
export function newClusterId(): ClusterId {
  let id = '';
  while (id.length < 16) {
    const byte = pool.next();
    // 252 = 7 * 36: higher bytes would favour the alphabet's head.
    if (byte < 252) id += alphabet[byte % 36];
  }
  return id as ClusterId;
}
