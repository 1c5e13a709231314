/** `k8s` and a zero byte stand before every protobuf body (KUBERNETES.md section 4). */
export const envelopePrefix = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

export function hasEnvelopePrefix(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.compare(envelopePrefix, 0, 4, 0, 4) === 0;
}
