import { messageOfKind } from '#api/builtin/catalogue-messages.ts';
import { badRequest } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { DecodedObject, Decoding } from './decoding.ts';
import { envelopePrefix, hasEnvelopePrefix } from './envelope-prefix.ts';
import { malformed, WireReader, wireBytes } from './wire-reader.ts';

/** runtime.Unknown {typeMeta 1 {apiVersion 1, kind 2}, raw 2, contentEncoding 3, contentType 4}. */
export function decodeEnvelope(bytes: Buffer, depth: number, decoding: Decoding): DecodedObject {
  if (!hasEnvelopePrefix(bytes)) throw malformed('it does not begin with the prefix 6b 38 73 00');
  const envelope = new WireReader(bytes, envelopePrefix.length, bytes.length);
  let apiVersion = '';
  let kind = '';
  let raw = new WireReader(bytes, 0, 0);
  while (!envelope.done) {
    const tag = envelope.tag();
    if ((tag & 7) !== wireBytes || tag >> 3 > 4) {
      envelope.skip(tag & 7);
      continue;
    }
    switch (tag >> 3) {
      case 1: {
        const typeMeta = envelope.part();
        while (!typeMeta.done) {
          const inner = typeMeta.tag();
          if (inner === 8 + wireBytes) apiVersion = typeMeta.text();
          else if (inner === 16 + wireBytes) kind = typeMeta.text();
          else typeMeta.skip(inner & 7);
        }
        break;
      }
      case 2:
        raw = envelope.part();
        break;
      case 3:
        if (envelope.text() !== '') throw malformed('its content is encoded once more');
        break;
      default: {
        const contentType = envelope.text();
        if (contentType !== '' && contentType !== 'application/vnd.kubernetes.protobuf') {
          throw malformed(`its content is of type ${JSON.stringify(contentType)}`);
        }
      }
    }
  }
  const version = parseApiVersion(apiVersion);
  const path = version === undefined ? undefined : messageOfKind(version.group, version.version, kind);
  if (path === undefined) {
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
    );
  }
  const message = decoding.message(path, raw, depth);
  if (!isJsonObject(message)) throw malformed(`${kind} is not an object`);
  return { apiVersion, kind, object: { apiVersion, kind, ...message } };
}
