import type { JsonObject } from '#apimachinery/json.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { apiGroups } from '../discovery/api-groups.ts';
import { isCustomGroup, metaNames } from './components.ts';
import { type FragmentV2, fragmentV2, frameV2 } from './document-v2.ts';
import { GnosticEncoder } from './gnostic-encode.ts';
import { messagesV2, wrappersV2 } from './gnostic-v2.ts';
import { memoizeByGroupVersion } from './group-version-memo.ts';
import { ProtoWriter } from './proto-writer.ts';

/** A group version's part of the Swagger document in one encoding: each path and definition on its own. */
interface Parts<T> {
  readonly paths: T;
  readonly definitions: ReadonlyMap<string, T>;
}

const fragments = memoizeByGroupVersion(fragmentV2);

const jsonParts = memoizeByGroupVersion((group, groupVersion): Parts<string> => {
  const { paths, definitions } = fragments(group, groupVersion);
  return {
    paths: [...paths].map(([path, item]) => `${JSON.stringify(path)}:${JSON.stringify(item)}`).join(','),
    definitions: new Map([...definitions].map(([name, json]) => [name, definitionText(name, json)])),
  };
});

const texts = new WeakMap<JsonObject, string>();

/** Definitions are shared over group versions: one text each. */
function definitionText(name: string, json: JsonObject): string {
  let text = texts.get(json);
  if (text === undefined) {
    text = `${JSON.stringify(name)}:${JSON.stringify(json)}`;
    texts.set(json, text);
  }
  return text;
}

/** The Swagger document of all that a scheme serves, as JSON text (KUBERNETES.md D6). */
export function jsonV2(scheme: Scheme): Buffer {
  const { paths, definitions } = assemble(scheme, jsonParts, (name, json) => definitionText(name, json));
  const { swagger, info, ...rest } = frameV2;
  const head = JSON.stringify({ swagger, info }).slice(0, -1);
  const tail = JSON.stringify(rest).slice(1);
  return Buffer.from(`${head},"paths":{${paths.join(',')}},"definitions":{${definitions.join(',')}},${tail}`);
}

const protobufParts = memoizeByGroupVersion((group, groupVersion): Parts<Buffer> => {
  const { paths, definitions } = fragments(group, groupVersion);
  const encoded = encode((encoder) => {
    for (const [path, item] of paths) encoder.pair(2, path, 'PathItem', item);
  });
  return {
    paths: encoded,
    definitions: new Map([...definitions].map(([name, json]) => [name, definitionBytes(name, json)])),
  };
});

const bytes = new WeakMap<JsonObject, Buffer>();

function definitionBytes(name: string, json: JsonObject): Buffer {
  let encoded = bytes.get(json);
  if (encoded === undefined) {
    encoded = encode((encoder) => encoder.pair(1, name, 'Schema', json));
    bytes.set(json, encoded);
  }
  return encoded;
}

function encode(write: (encoder: GnosticEncoder) => void): Buffer {
  const writer = new ProtoWriter();
  write(new GnosticEncoder(messagesV2, wrappersV2, writer));
  return writer.finish();
}

/** The same document as gnostic's openapi.v2.Document. */
export function protobufV2(scheme: Scheme): Buffer {
  const { paths, definitions } = assemble(scheme, protobufParts, definitionBytes);
  const writer = new ProtoWriter();
  const encoder = new GnosticEncoder(messagesV2, wrappersV2, writer);
  const { swagger, info, ...rest } = frameV2;
  encoder.message('Document', { swagger, info });
  writer.bytes(8, Buffer.concat(paths));
  writer.bytes(9, Buffer.concat(definitions));
  encoder.message('Document', rest);
  return writer.finish();
}

/** Any Swagger document as gnostic's openapi.v2.Document. */
export function encodeSwagger(document: JsonObject): Buffer {
  return encode((encoder) => encoder.message('Document', document));
}

function assemble<T>(
  scheme: Scheme,
  partsOf: (group: string, groupVersion: Parameters<typeof fragmentV2>[1]) => Parts<T>,
  encodeDefinition: (name: string, json: JsonObject) => T,
): { readonly paths: T[]; readonly definitions: T[] } {
  const paths: T[] = [];
  const definitions = new Map<string, T>();
  const kinds: { group: string; version: string }[] = [];
  let fragment: FragmentV2 | undefined;
  for (const group of apiGroups(scheme)) {
    for (const groupVersion of group.versions) {
      const parts = partsOf(group.name, groupVersion);
      paths.push(parts.paths);
      for (const [name, part] of parts.definitions) definitions.set(name, part);
      if (!isCustomGroup(groupVersion)) kinds.push({ group: group.name, version: groupVersion.version });
      fragment ??= fragments(group.name, groupVersion);
    }
  }
  for (const name of [metaNames.deleteOptions, metaNames.watchEvent]) {
    const json = fragment?.definitions.get(name);
    if (json !== undefined) definitions.set(name, encodeDefinition(name, forEveryGroup(name, json, kinds)));
  }
  const names = [...definitions.keys()].sort();
  return { paths, definitions: names.map((name) => definitions.get(name) as T) };
}

/** DeleteOptions and WatchEvent belong to every group version of the document but those of custom kinds. */
function forEveryGroup(
  name: string,
  json: JsonObject,
  groupVersions: readonly { readonly group: string; readonly version: string }[],
): JsonObject {
  const kind = name.slice(name.lastIndexOf('.') + 1);
  return {
    ...json,
    'x-kubernetes-group-version-kind': groupVersions.map(({ group, version }) => ({ group, kind, version })),
  };
}
