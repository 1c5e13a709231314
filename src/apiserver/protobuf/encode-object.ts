import { messageOfKind } from '#api/builtin/catalogue-messages.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { encoderOf } from './encode-message.ts';
import { envelopePrefix } from './envelope-prefix.ts';
import { WireWriter } from './wire-writer.ts';

/** Field 2: `raw` of runtime.Unknown, and `items` of every list. */
const bodyTag = 0x12;
const tag1 = 0x0a;
const tag2 = 0x12;

/** Empty contentEncoding (3) and contentType (4). */
const tail = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

/** One for all: encoding is done in one go. */
const writer = new WireWriter();

interface KnownKind {
  /** Of its message. */
  readonly path: string;
  /** What stands before the body in an envelope. */
  readonly head: Buffer;
}

/** Kinds that were asked for, as `v1 Pod`; there are a few hundred that have a message, the rest is not remembered. */
const kinds = new Map<string, KnownKind>();

/** How a kind of Kubernetes' own is encoded; undefined for everybody else's. */
function knownKind(apiVersion: unknown, kind: unknown): KnownKind | undefined {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const key = `${apiVersion} ${kind}`;
  let known = kinds.get(key);
  if (known === undefined) {
    const version = parseApiVersion(apiVersion);
    if (version === undefined) return undefined;
    const isMeta = version.group === 'meta.k8s.io' && metaVersions.has(version.version);
    const path = isMeta
      ? metaMessages[kind]
      : (messageOfKind(version.group, version.version, kind) ??
        (apiVersion === 'v1' ? discoveryMessages[kind] : undefined));
    if (path === undefined) return undefined;
    known = { path, head: envelopeHead(apiVersion, kind) };
    kinds.set(key, known);
  }
  return known;
}

function kindOf(apiVersion: unknown, kind: unknown): KnownKind {
  const known = knownKind(apiVersion, kind);
  if (known === undefined) throw new Error(`no protobuf message for ${String(apiVersion)} ${String(kind)}`);
  return known;
}

/** Both versions of meta.k8s.io are the same on the wire. */
const metaVersions: ReadonlySet<string> = new Set(['v1', 'v1beta1']);
const metaMessages: { readonly [kind: string]: string | undefined } = {
  __proto__: null as never,
  PartialObjectMetadata: 'apimachinery.pkg.apis.meta.v1.PartialObjectMetadata',
  PartialObjectMetadataList: 'apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList',
};

/** The kinds of discovery, which bear the core group's version (KUBERNETES.md D1). */
const discoveryMessages: { readonly [kind: string]: string | undefined } = {
  __proto__: null as never,
  APIVersions: 'apimachinery.pkg.apis.meta.v1.APIVersions',
  APIGroup: 'apimachinery.pkg.apis.meta.v1.APIGroup',
  APIGroupList: 'apimachinery.pkg.apis.meta.v1.APIGroupList',
  APIResourceList: 'apimachinery.pkg.apis.meta.v1.APIResourceList',
};

/** Whether a kind can be told in protobuf: Kubernetes' own can, custom resources cannot (KUBERNETES.md N2). */
export function hasProtobuf(apiVersion: unknown, kind: unknown): boolean {
  return knownKind(apiVersion, kind) !== undefined;
}

/**
 * An object's message as field 2 of what surrounds it, tag and length included: so it stands in an envelope as in a list,
 * and is encoded once for both. The object's own apiVersion and kind choose the message; they are not in it. Throws
 * for a kind that has none.
 */
export function encodeBody(object: JsonObject): Buffer {
  const { path } = kindOf(object['apiVersion'], object['kind']);
  writer.reset();
  encoderOf(path)(object, writer);
  writer.varint(writer.size);
  writer.varint(bodyTag);
  return writer.take();
}

/** What stands before the body in an envelope (KUBERNETES.md section 4). */
function envelopeHead(apiVersion: string, kind: string): Buffer {
  writer.reset();
  writer.text(kind);
  writer.varint(tag2);
  writer.text(apiVersion);
  writer.varint(tag1);
  writer.varint(writer.size);
  writer.varint(tag1);
  writer.bytes(envelopePrefix);
  return writer.take();
}

/** What `encodeBody` made, in an envelope: a whole document. */
export function enveloped(apiVersion: string, kind: string, body: Buffer): Buffer {
  return Buffer.concat([kindOf(apiVersion, kind).head, body, tail]);
}

/** A whole document in Kubernetes' protobuf form, as kube-apiserver encodes it. Throws for a kind that has no message. */
export function encodeProtobuf(object: JsonObject): Buffer {
  const body = encodeBody(object);
  return enveloped(String(object['apiVersion']), String(object['kind']), body);
}

/** A list of `itemsBytes` of bodies in parts: `head`, then the bodies, then `tail`. */
export function listParts(
  apiVersion: string,
  kind: string,
  metadata: JsonObject,
  itemsBytes: number,
): { readonly head: Buffer; readonly tail: Buffer } {
  const envelope = kindOf(apiVersion, kind).head;
  writer.reset();
  encoderOf('apimachinery.pkg.apis.meta.v1.ListMeta')(metadata, writer);
  writer.varint(writer.size);
  writer.varint(tag1);
  // The bodies follow: only their length counts here.
  writer.varint(writer.size + itemsBytes);
  writer.varint(bodyTag);
  return { head: Buffer.concat([envelope, writer.take()]), tail };
}

const frameLengthBytes = 4;

/**
 * One event of a watch: 4 bytes of length, big-endian, and meta.v1.WatchEvent {type 1, object 2 {raw 1}} around the
 * object's document (KUBERNETES.md W1).
 */
export function watchFrame(type: string, apiVersion: string, kind: string, body: Buffer): Buffer {
  const { head } = kindOf(apiVersion, kind);
  const documentBytes = head.length + body.length + tail.length;
  writer.reset();
  writer.varint(documentBytes);
  writer.varint(tag1);
  const rawBytes = writer.size;
  writer.varint(rawBytes + documentBytes);
  writer.varint(tag2);
  writer.text(type);
  writer.varint(tag1);
  const event = writer.take();
  const length = Buffer.allocUnsafe(frameLengthBytes);
  length.writeUInt32BE(event.length + documentBytes);
  return Buffer.concat([length, event, head, body, tail]);
}

/** The event without the length before it: a WebSocket's messages have their own (KUBERNETES.md W7). */
export function unframed(frame: Buffer): Buffer {
  return frame.subarray(frameLengthBytes);
}
