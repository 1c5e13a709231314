/** What an RFC 6901 pointer names from the root on; undefined where it is none, or names the root itself. */
export function parseJsonPointer(pointer: string): string[] | undefined {
  return pointer.startsWith('/') ? pointer.slice(1).split('/').map(unescapeToken) : undefined;
}

/** One part of a pointer as it is called in the object. */
export function unescapeToken(token: string): string {
  return token.includes('~') ? token.replaceAll('~1', '/').replaceAll('~0', '~') : token;
}
