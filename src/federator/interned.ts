const textsMax = 10_000;
const texts = new Map<string, string>();

/**
 * The same string object for equal texts, as far as they are remembered: what JSON brings is a string of its own each time,
 * and of a hundred thousand copies most name the same few namespaces, workspaces and kinds.
 */
export function interned(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= textsMax) texts.clear();
  texts.set(text, text);
  return text;
}
