/** One clause of an Accept header. */
export interface AcceptClause {
  /** Lower case, `application/json`; may hold wildcards. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * The clauses of an Accept header, best first (RFC 9110 12.5.1); those with q=0 are left out. No header accepts all.
 * At most 32 clauses are read.
 */
export function parseAccept(header: string | undefined): AcceptClause[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: new Map() }];
  const weighted: { clause: AcceptClause; quality: number }[] = [];
  for (const text of header.split(',', 32)) {
    const [type = '', ...rest] = text.split(';');
    const parameters = new Map<string, string>();
    let quality = 1;
    for (const parameter of rest) {
      const at = parameter.indexOf('=');
      if (at < 0) continue;
      const name = parameter.slice(0, at).trim().toLowerCase();
      const value = parameter.slice(at + 1).trim();
      if (name === 'q') quality = Number(value);
      else parameters.set(name, value);
    }
    if (!(quality > 0)) continue;
    weighted.push({ clause: { type: type.trim().toLowerCase(), parameters }, quality });
  }
  return weighted.sort((a, b) => b.quality - a.quality).map((one) => one.clause);
}

export function accepts(clause: AcceptClause, type: string): boolean {
  if (clause.type === type || clause.type === '*/*') return true;
  return clause.type.endsWith('/*') && type.startsWith(clause.type.slice(0, -1));
}
