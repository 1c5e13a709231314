import { BodyDecoding } from './body-decoding.ts';
import type { DecodedObject } from './decoding.ts';

/** The media type of Kubernetes' protobuf bodies. */
export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

/**
 * Decodes a request body in Kubernetes' protobuf form (KUBERNETES.md section 4) into what the same object is in JSON,
 * apiVersion and kind included: any built-in kind in any of its versions, DeleteOptions, Scale, Eviction, Binding, reviews.
 * Field values are Go's: what Go's JSON encoder leaves out is left out. Unknown fields are skipped. Message tables are
 * made when first met. Throws ApiError BadRequest for anything malformed or of a kind that Kubernetes does not have;
 * the caller bounds the body's size, this function nesting and the number of values.
 */
export function decodeProtobuf(bytes: Buffer): DecodedObject {
  return new BodyDecoding().envelope(bytes, 0);
}
