/** A pattern that Go's regexp package would refuse too. */
export class RegexpSyntaxError extends Error {
  override readonly name = 'RegexpSyntaxError';
}

export function failSyntax(what: string, where: string): never {
  throw new RegexpSyntaxError(`error parsing regexp: ${what}: \`${where}\``);
}
