/** A block of PEM as Go's encoding/pem decodes it. */
export interface PemBlock {
  readonly type: string;
  readonly hasHeaders: boolean;
  readonly bytes: Buffer;
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** All blocks of a text, in order; what is no block, or not decoded, is passed over. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  const begin = /(?:^|\n)-----BEGIN ([^\r\n]*?)-----[ \t]*(?:\r?\n|$)/g;
  for (let found = begin.exec(text); found !== null; found = begin.exec(text)) {
    const type = found[1] as string;
    const end = endOf(text, begin.lastIndex, type);
    if (end === undefined) continue;
    const { hasHeaders, data } = withoutHeaders(text.slice(begin.lastIndex, end.at));
    const plain = data.replace(/[\s]/g, '');
    if (!base64.test(plain)) continue;
    blocks.push({ type, hasHeaders, bytes: Buffer.from(plain, 'base64') });
    // The newline that ends a block may begin the next one.
    begin.lastIndex = end.after;
  }
  return blocks;
}

/** Where the block's end begins, and what is behind it; undefined when the next end is another's, or has no line of its own. */
function endOf(
  text: string,
  from: number,
  type: string,
): { readonly at: number; readonly after: number } | undefined {
  const line = '-----END ';
  const isHere = text.startsWith(line, from);
  const at = isHere ? from : text.indexOf(`\n${line}`, from - 1) + 1;
  if (!isHere && at === 0) return undefined;
  const told = `${line}${type}-----`;
  if (!text.startsWith(told, at)) return undefined;
  const after = at + told.length;
  return /^[ \t]*(?:\r?\n|$)/.test(text.slice(after, after + 100)) ? { at, after } : undefined;
}

function withoutHeaders(content: string): { readonly hasHeaders: boolean; readonly data: string } {
  const lines = content.split('\n');
  const first = lines.findIndex((line) => !line.includes(':'));
  const headers = first < 0 ? lines.length : first;
  return { hasHeaders: headers > 0, data: lines.slice(headers).join('\n') };
}
