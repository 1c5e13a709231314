import { parse } from 'yaml';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer } from '../harness/raw-http.ts';

/** An answer without what two servers cannot have alike. */
export interface NormalAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: JsonValue;
}

/** Headers that clients act on. Of others only that they are there is compared. */
const compared = ['content-type', 'warning', 'cache-control', 'vary', 'allow', 'location', 'retry-after'];
const present = ['audit-id', 'x-kubernetes-pf-flowschema-uid', 'x-kubernetes-pf-prioritylevel-uid'];

const uidPattern = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const timePattern = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const ownPattern = /\b10\.0\.\d{1,3}\.\d{1,3}\b(?!\/)/g;
/** What the servers of the harness call who asks, and the certificate that was shown. */
const userPattern = /\b(?:test-admin|cellplane-admin)\b/g;
const authorityPattern = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\s*/g;
const certificatePattern = /\bX509SHA256=[0-9a-f]{64}\b/g;
const atNodesPattern = /^(?:pods\/(?:attach|exec|log|portforward|proxy)|(?:nodes|services)\/proxy)$/;
const currentPattern = /(?<=Too large resource version: \d+, current: )\d+/g;
const expiredPattern = /(?<=too old resource version: )\d+(?: \(\d+\))?/g;
const generatedPattern = /(?<=\b[hp]\d+-)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g;
const tokenPattern = /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g;
const guardPattern =
  /(?<=ResourceVersion in (?:the precondition|record) \()\d{2,}(?=\))|(?<=ResourceVersion in (?:precondition|object meta): )\d{2,}/g;
/** What kube-apiserver calls the type of what a rule is about: a number by the clock, and the path below it. */
const selfTypePattern = /\bselfType\d+(?:\.[\w@]+)*/g;
/** Where a scheme was made: its build says, official ones otherwise than one out of the module cache. */
const schemePattern = /(?<=is registered for version "[^"]*" in scheme ")[^"]*/g;
const tokenVolumePattern = /\bkube-api-access-[a-z0-9]{5}\b/g;
/** How far from now a time is taken for the server's own. */
const nowMs = 3_600_000;

/** Of one case at one server: uids that it gave are numbered in the order in which they are seen. */
export class Normaliser {
  readonly #uids = new Map<string, string>();
  readonly #revisions = new Set<string>();
  #revision: string | undefined;

  answer({ status, headers, text, json }: RawAnswer): NormalAnswer {
    const kept: { [name: string]: string } = {};
    for (const name of compared) {
      const value = headers[name];
      if (value !== undefined) kept[name] = this.#text(String(value));
    }
    for (const name of present) if (headers[name] !== undefined) kept[name] = 'present';
    return { status, headers: kept, body: this.#value(bodyOf(kept['content-type'] ?? '', text, json), '') };
  }

  #value(value: JsonValue, key: string): JsonValue {
    if (typeof value === 'string') return this.#string(value, key);
    if (key === 'nodePort' && typeof value === 'number' && value >= 30_000) return '<node port>';
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#value(item, key === 'cells' ? 'cell' : ''));
      if (key === 'managedFields') return items.sort(byManager);
      return key === 'causes' ? items.sort(byConflict) : items;
    }
    if (!isJsonObject(value)) return value;
    const result: JsonObject = {};
    if (value['kind'] === 'APIResourceList') return this.#resources(value);
    // A list of nothing may have `null` there.
    const isList = value['items'] !== undefined || value['rows'] !== undefined;
    // In an order that both have, so that what is chance is numbered alike.
    for (const name of Object.keys(value).sort()) {
      const inner = value[name] as JsonValue;
      if (isList && name === 'metadata' && isJsonObject(inner)) result[name] = listMetadata(inner);
      else result[name] = this.#value(inner, name);
    }
    return result;
  }

  /** docs/kubernetes-contract.md, Differences: what runs at nodes is not in discovery. */
  #resources(value: JsonObject): JsonObject {
    const resources = (value['resources'] as JsonObject[]).filter(
      ({ name }) => !atNodesPattern.test(String(name)),
    );
    return { ...value, resources };
  }

  #string(value: string, key: string): string {
    if (key === 'resourceVersion') return this.#relative(value);
    if (key === 'continue' && value !== '') return '<continue>';
    if (key === 'cell' && /^\d+[smhdy](?:\d+[smhd])?$/.test(value)) return '<age>';
    return this.#text(value);
  }

  /** Whether a write changed something is told by it: the same as before, or another. */
  #relative(revision: string): string {
    const isSame = revision === this.#revision;
    const isKnown = this.#revisions.has(revision);
    this.#revision = revision;
    this.#revisions.add(revision);
    return isSame ? '<same revision>' : isKnown ? '<earlier revision>' : '<new revision>';
  }

  #text(value: string): string {
    return value
      .replace(uidPattern, (uid) => numbered(this.#uids, uid, 'uid'))
      .replace(timePattern, (time, fraction?: string) => {
        if (Math.abs(Date.parse(time) - Date.now()) > nowMs) return time;
        return fraction === undefined ? '<now>' : '<now in microseconds>';
      })
      .replace(ownPattern, '<address>')
      .replace(userPattern, '<user>')
      .replace(authorityPattern, '<authority>')
      .replace(certificatePattern, '<certificate>')
      .replace(currentPattern, '<revision>')
      .replace(expiredPattern, '<revision>')
      .replace(guardPattern, '<revision>')
      .replace(tokenPattern, '<token>')
      .replace(generatedPattern, '<chance>')
      .replace(selfTypePattern, 'object')
      .replace(schemePattern, '<scheme>')
      .replace(tokenVolumePattern, 'kube-api-access-<chance>');
  }
}

/** Protobuf is compared by what the same kinds are in JSON: here only that it is that. */
function bodyOf(contentType: string, text: string, json: RawAnswer['json']): JsonValue {
  if (json !== undefined) return json as JsonValue;
  if (contentType.includes('yaml')) return (parse(text) as JsonValue | undefined) ?? null;
  return contentType.includes('protobuf') ? '<protobuf>' : text;
}

function numbered(seen: Map<string, string>, value: string, what: string): string {
  let name = seen.get(value);
  if (name === undefined) {
    name = `<${what} ${seen.size + 1}>`;
    seen.set(value, name);
  }
  return name;
}

/** A list's revision is that of the whole server, to which other cases write. */
function listMetadata(metadata: JsonObject): JsonObject {
  const result: JsonObject = { ...metadata };
  if (metadata['resourceVersion'] !== undefined) result['resourceVersion'] = '<list>';
  if (metadata['continue'] !== undefined) result['continue'] = '<continue>';
  return result;
}

/** Conflicts come manager by manager, out of a map of Go's: in any order. Causes of other errors keep theirs. */
function byConflict(a: JsonValue, b: JsonValue): number {
  const key = (cause: JsonValue) =>
    isJsonObject(cause) && cause['reason'] === 'FieldManagerConflict' ? JSON.stringify(cause) : '';
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

/** Kubernetes sorts by time, of which a second may pass at one server between two writes and not at the other. */
function byManager(a: JsonValue, b: JsonValue): number {
  const key = (entry: JsonValue) =>
    isJsonObject(entry)
      ? JSON.stringify([entry['operation'], entry['manager'], entry['subresource'], entry['apiVersion']])
      : '';
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}
