import { type FieldSpec, MessageType, ProtoError } from '#storage/etcd/proto-codec.ts';

/**
 * The messages of a KMS plugin, version 2 (k8s.io/kms/apis/v2/api.proto), and the form in which values are stored that
 * it has a part in (KEP-3299). Field numbers are those of upstream.
 */
export interface KmsStatus {
  /** `v2`, or `v2beta1`. */
  readonly version: string;
  /** `ok`, or what is wrong. */
  readonly healthz: string;
  readonly key_id: string;
}

export interface KmsAnnotation {
  readonly key: string;
  readonly value: Buffer;
}

export interface KmsEncryptRequest {
  readonly plaintext: Buffer;
  readonly uid: string;
}

export interface KmsEncryptResponse {
  readonly ciphertext: Buffer;
  readonly key_id: string;
  readonly annotations: readonly KmsAnnotation[];
}

export interface KmsDecryptRequest {
  readonly ciphertext: Buffer;
  readonly uid: string;
  readonly key_id: string;
  readonly annotations: readonly KmsAnnotation[];
}

export interface KmsDecryptResponse {
  readonly plaintext: Buffer;
}

/** How a stored value was sealed: the rest of EncryptedObject, without what is sealed. */
export interface SealedWith {
  readonly keyId: string;
  readonly encryptedDekSource: Buffer;
  readonly annotations: readonly KmsAnnotation[];
  /** 0: the source is an AES-GCM key; 1: a seed from which a key is derived for each value. */
  readonly sourceType: number;
}

interface EncryptedObject extends SealedWith {
  readonly encryptedData: Buffer;
}

/** One call of the plugin. */
export interface KmsMethod<Request extends object, Response extends object> {
  readonly path: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

function field(number: number, kind: FieldSpec['kind']): FieldSpec {
  return { number, kind };
}

function annotationsAt(number: number): FieldSpec {
  const entry = new MessageType<KmsAnnotation>({ key: field(1, 'string'), value: field(2, 'bytes') });
  return { number, kind: entry as MessageType<object>, repeated: true };
}

const service = '/v2.KeyManagementService';

export const kmsStatusMethod: KmsMethod<object, KmsStatus> = {
  path: `${service}/Status`,
  request: new MessageType<object>({}),
  response: new MessageType<KmsStatus>({
    version: field(1, 'string'),
    healthz: field(2, 'string'),
    key_id: field(3, 'string'),
  }),
};

export const kmsEncryptMethod: KmsMethod<KmsEncryptRequest, KmsEncryptResponse> = {
  path: `${service}/Encrypt`,
  request: new MessageType<KmsEncryptRequest>({ plaintext: field(1, 'bytes'), uid: field(2, 'string') }),
  response: new MessageType<KmsEncryptResponse>({
    ciphertext: field(1, 'bytes'),
    key_id: field(2, 'string'),
    annotations: annotationsAt(3),
  }),
};

export const kmsDecryptMethod: KmsMethod<KmsDecryptRequest, KmsDecryptResponse> = {
  path: `${service}/Decrypt`,
  request: new MessageType<KmsDecryptRequest>({
    ciphertext: field(1, 'bytes'),
    uid: field(2, 'string'),
    key_id: field(3, 'string'),
    annotations: annotationsAt(4),
  }),
  response: new MessageType<KmsDecryptResponse>({ plaintext: field(1, 'bytes') }),
};

const encryptedObject = new MessageType<EncryptedObject>({
  encryptedData: field(1, 'bytes'),
  keyId: field(2, 'string'),
  encryptedDekSource: field(3, 'bytes'),
  annotations: annotationsAt(4),
  sourceType: field(5, 'number'),
});

/** Largest key id and encrypted source, and all annotations together, in bytes (as upstream). */
const keyIdBytesMax = 1024;
const sourceBytesMax = 1024;
const annotationsBytesMax = 32 * 1024;

/** An EncryptedObject in two parts: what is sealed, and the rest as it is encoded, which many values share. */
export interface SplitObject {
  readonly data: Buffer;
  readonly rest: Buffer;
}

/** The rest of all objects that are sealed so. */
export function encodeSealedWith(sealedWith: SealedWith): Buffer {
  return encryptedObject.encode({ encryptedData: Buffer.alloc(0), ...sealedWith });
}

/** Throws Error for bytes that are no rest of an EncryptedObject, or one out of its bounds. */
export function decodeSealedWith(rest: Buffer): SealedWith {
  const { keyId, encryptedDekSource, annotations, sourceType } = decoded(rest);
  const sealedWith = { keyId, encryptedDekSource, annotations, sourceType };
  checkSealedWith(sealedWith);
  return sealedWith;
}

const dataTag = 0x0a;

export function joinObject({ data, rest }: SplitObject): Buffer {
  const head = [dataTag];
  let length = data.length;
  for (; length >= 0x80; length = Math.floor(length / 0x80)) head.push((length % 0x80) | 0x80);
  head.push(length);
  return Buffer.concat([Buffer.from(head), data, rest]);
}

/** Views on `bytes`, which are not looked at beyond the data; undefined for what does not begin with it. */
export function splitObject(bytes: Buffer): SplitObject | undefined {
  if (bytes[0] !== dataTag) return undefined;
  let length = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[at++];
    if (byte === undefined || scale > 0x80 ** 4) return undefined;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length === 0 || at + length > bytes.length) return undefined;
  return { data: bytes.subarray(at, at + length), rest: bytes.subarray(at + length) };
}

function decoded(bytes: Buffer): EncryptedObject {
  try {
    return encryptedObject.decode(bytes);
  } catch (error) {
    if (error instanceof ProtoError) throw new Error('it is no EncryptedObject', { cause: error });
    throw error;
  }
}

/** Throws Error, in upstream's words, for what a plugin must not give. */
export function checkSealedWith({ keyId, encryptedDekSource, annotations, sourceType }: SealedWith): void {
  if (sourceType !== 0 && sourceType !== 1) throw new Error(`unknown encryptedDEKSourceType: ${sourceType}`);
  if (encryptedDekSource.length === 0)
    throw new Error('failed to validate encrypted DEK source: encrypted DEK source is empty');
  if (encryptedDekSource.length > sourceBytesMax) {
    throw new Error(
      `failed to validate encrypted DEK source: encrypted DEK source is ${encryptedDekSource.length} bytes, which exceeds the max size of ${sourceBytesMax}`,
    );
  }
  checkKeyId(keyId);
  let bytes = 0;
  for (const { key, value } of annotations) {
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/.test(key)) {
      throw new Error(
        `failed to validate annotations: annotations: Invalid value: ${JSON.stringify(key)}: should be a domain with at least two segments separated by dots`,
      );
    }
    bytes += Buffer.byteLength(key) + value.length;
  }
  if (bytes > annotationsBytesMax) {
    throw new Error(
      `failed to validate annotations: total size of annotations is ${bytes}, which exceeds the max size of ${annotationsBytesMax}`,
    );
  }
}

/** Throws Error for an id that no value could bear. */
export function checkKeyId(keyId: string): void {
  if (keyId === '') throw new Error('failed to validate key id: keyID is empty');
  const bytes = Buffer.byteLength(keyId);
  if (bytes > keyIdBytesMax) {
    throw new Error(
      `failed to validate key id: keyID is ${bytes} bytes, which exceeds the max size of ${keyIdBytesMax}`,
    );
  }
}
