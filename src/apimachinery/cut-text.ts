/** At most `lengthMax` characters (UTF-16 code units) of a text; one that is longer ends in `…`. */
export function cutText(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}
