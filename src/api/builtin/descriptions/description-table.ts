/** What a type is for, and what each of its fields says. */
export interface TypeDescription {
  readonly text: string;
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Reads a table of descriptions: a line `Type: text` for each type, indented lines `field: text` for its fields below it.
 * Throws where a line is neither, or where a name stands twice.
 */
export function readDescriptions(table: string): ReadonlyMap<string, TypeDescription> {
  const types = new Map<string, { text: string; fields: Map<string, string> }>();
  let current: { text: string; fields: Map<string, string> } | undefined;
  for (const line of table.split('\n')) {
    if (line.trim() === '') continue;
    const [, indent = '', name, text] = /^( *)([$\w-]+): (.+)$/.exec(line) ?? [];
    if (name === undefined || text === undefined) throw new Error(`not a description: ${line}`);
    if (indent === '') {
      if (types.has(name)) throw new Error(`${name} is described twice`);
      current = { text, fields: new Map() };
      types.set(name, current);
    } else if (current === undefined || current.fields.has(name)) {
      throw new Error(`a field without a type, or twice: ${line}`);
    } else {
      current.fields.set(name, text);
    }
  }
  return types;
}
