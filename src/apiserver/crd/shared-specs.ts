import { LRUCache } from 'lru-cache';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ownBytes } from '#apimachinery/own-bytes.ts';

interface SharedSpec {
  readonly bytes: Buffer;
  readonly spec: JsonObject;
}

/** All specs kept together. */
const bytesMax = 64 * 1024 * 1024;
const variantsMax = 16;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const brace = 0x7b;

/**
 * Parses stored CRDs, each distinct spec once: thousands of workspaces carry the same few CRDs of up to megabytes, and
 * comparing bytes is two orders of magnitude faster than parsing them. A spec that was seen under the same name is
 * recognised in place: an object ends at its bracket, so that equal bytes from its first on are the equal object.
 */
export class SharedSpecs {
  readonly #byName = new LRUCache<string, SharedSpec[]>({
    maxSize: bytesMax,
    sizeCalculation: (variants) => variants.reduce((sum, { bytes }) => sum + bytes.length, 1),
  });

  /** The CRD of a compact JSON text (no white space between its members). Its spec is shared: it must not be changed. */
  parse(body: Buffer): KubeObject {
    const members: string[] = [];
    let spec: JsonObject | undefined;
    let name: string | undefined;
    let at = 1;
    while (at < body.length && body[at] === quote) {
      const keyEnd = skipString(body, at);
      const key = body.toString('latin1', at + 1, keyEnd - 1);
      const start = keyEnd + 1;
      let end: number;
      if (key === 'spec' && name !== undefined && body[start] === brace) {
        const shared = this.#sharedAt(name, body, start);
        spec = shared.spec;
        end = start + shared.bytes.length;
      } else {
        end = skipValue(body, start);
        const text = body.toString('utf8', at, end);
        if (key === 'metadata')
          name = (JSON.parse(`{${text}}`) as { metadata: { name?: string } }).metadata.name;
        members.push(text);
      }
      at = body[end] === comma ? end + 1 : body.length;
    }
    const crd = JSON.parse(`{${members.join(',')}}`) as KubeObject;
    if (spec !== undefined) crd['spec'] = spec;
    return crd;
  }

  #sharedAt(name: string, body: Buffer, start: number): SharedSpec {
    const variants = this.#byName.get(name) ?? [];
    for (const variant of variants) {
      const end = start + variant.bytes.length;
      if (end <= body.length && variant.bytes.compare(body, start, end) === 0) return variant;
    }
    const bytes = ownBytes(Buffer.from(body.subarray(start, skipValue(body, start))));
    const variant: SharedSpec = { bytes, spec: JSON.parse(bytes.toString('utf8')) as JsonObject };
    this.#byName.set(name, [variant, ...variants].slice(0, variantsMax));
    return variant;
  }
}

/** The offset after the string that begins at `start`. */
function skipString(body: Buffer, start: number): number {
  let at = start + 1;
  for (;;) {
    const byte = body[at++];
    if (byte === quote || byte === undefined) return at;
    if (byte === backslash) at++;
  }
}

/** The offset after the value that begins at `start`. */
function skipValue(body: Buffer, start: number): number {
  let depth = 0;
  let at = start;
  while (at < body.length) {
    const byte = body[at] as number;
    if (byte === quote) {
      at = skipString(body, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) {
      // The bracket of what holds a plain value ends that value.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (byte === comma && depth === 0) {
      return at;
    }
    at++;
  }
  return at;
}
