import { randomUUID } from 'node:crypto';

/** A random UUID (RFC 9562, version 4); Node draws them from a cached pool. */
export function newUid(): string {
  return randomUUID();
}

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUid(text: string): boolean {
  return pattern.test(text);
}
