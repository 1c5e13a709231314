import { hash as hashOnce } from 'node:crypto';
import type { UserInfo } from '../request/user.ts';
import type { AuthenticatedToken, TokenAuthenticator } from './authenticator.ts';
import { withAuthenticated } from './x509.ts';

/** What is wrong with a token file, by line. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/**
 * Kubernetes' static token file (KUBERNETES.md U1): `token,user,uid,"group1,group2"` a line. Tokens are kept hashed, so
 * that looking one up takes the same time whatever it shares with a valid one.
 */
export class TokenFileAuthenticator implements TokenAuthenticator {
  readonly #users: ReadonlyMap<string, UserInfo>;
  readonly #audiences: readonly string[];

  /** `audiences`: the API server's own, the only ones that such a token is meant for. Throws TokenFileError. */
  constructor(csv: string, audiences: readonly string[] = []) {
    this.#audiences = audiences;
    const users = new Map<string, UserInfo>();
    parseCsv(csv).forEach(({ line, fields }) => {
      const [token = '', name = '', uid = '', groups = ''] = fields;
      if (fields.length < 3) throw new TokenFileError(line, 'needs at least token, user and uid');
      if (token === '') throw new TokenFileError(line, 'the token is empty');
      if (name === '') throw new TokenFileError(line, 'the user is empty');
      const key = hashToken(token);
      if (users.has(key)) throw new TokenFileError(line, 'the token stands in an earlier line already');
      const names = groups.split(',').filter((group) => group !== '');
      users.set(key, { name, uid, groups: withAuthenticated(names), extra: new Map() });
    });
    this.#users = users;
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash = hashToken(token),
  ): AuthenticatedToken | undefined {
    const user = this.#users.get(hash);
    if (user === undefined) return undefined;
    if (audiences.length === 0) return { user, audiences: this.#audiences };
    const meant = this.#audiences.filter((audience) => audiences.includes(audience));
    return meant.length === 0 ? undefined : { user, audiences: meant };
  }
}

/** SHA-256, base64. */
export function hashToken(token: string): string {
  return hashOnce('sha256', token, 'base64');
}

/** RFC 4180 with `#` comments and blank lines left out, as Go's encoding/csv reads it. */
function parseCsv(text: string): { line: number; fields: string[] }[] {
  const records: { line: number; fields: string[] }[] = [];
  text.split(/\r?\n/).forEach((source, index) => {
    if (source.trim() === '' || source.startsWith('#')) return;
    const fields: string[] = [];
    let at = 0;
    while (at <= source.length) {
      const quoted = /^\s*"((?:[^"]|"")*)"\s*(?:,|$)/.exec(source.slice(at));
      if (quoted !== null) {
        fields.push((quoted[1] ?? '').replaceAll('""', '"'));
        at += quoted[0].length;
        if (!quoted[0].endsWith(',')) break;
      } else {
        const comma = source.indexOf(',', at);
        const end = comma < 0 ? source.length : comma;
        const field = source.slice(at, end).trim();
        if (field.includes('"')) throw new TokenFileError(index + 1, 'a quote stands inside a field');
        fields.push(field);
        at = end + 1;
        if (comma < 0) break;
      }
    }
    records.push({ line: index + 1, fields });
  });
  return records;
}
