/** What may be held beside the bytes themselves: less than it costs to have memory of one's own. */
const slackBytes = 256;

/**
 * The same bytes without the larger block that they may have been cut from: Node takes small Buffers from blocks of
 * `Buffer.poolSize`, and one that is kept keeps its whole block. For what a cache that counts bytes keeps for long.
 */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength - bytes.length <= slackBytes + bytes.length / 8) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}
