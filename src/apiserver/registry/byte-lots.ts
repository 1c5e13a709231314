/** Bytes of one lot; about a hundred objects. */
const lotBytes = 512 * 1024;
/** Larger pieces get memory of their own. */
const pieceBytesMax = lotBytes / 16;

let lot = newLot();
let used = 0;

/**
 * Uninitialised bytes for an encoded object that lives as long as a request: cut from a lot, which goes when its last
 * piece does. A buffer of its own for each would cost more than filling it.
 */
export function allocateBytes(bytes: number): Buffer {
  if (bytes > pieceBytesMax) return Buffer.allocUnsafeSlow(bytes);
  if (used + bytes > lotBytes) {
    lot = newLot();
    used = 0;
  }
  const start = used;
  used += bytes;
  return lot.subarray(start, used);
}

/**
 * Shared memory, though nothing shares it: V8 counts every other buffer as pressure on its heap, and tens of megabytes
 * a second would have it collect all of it again and again.
 */
function newLot(): Buffer {
  return Buffer.from(new SharedArrayBuffer(lotBytes));
}
