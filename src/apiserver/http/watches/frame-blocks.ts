/** Bytes of one block. */
export const frameBlockBytes = 64 * 1024;
/** A longer frame has memory of its own already: Node cuts none from a block that is over half of that block. */
const placedBytesMax = frameBlockBytes / 2;

/**
 * Packs frames that are kept into blocks, one after another, so that what is kept and dropped in one order takes no more
 * memory than its bytes and a block. A frame as it was rendered is cut from a block that all of the process cuts from:
 * a few hundred bytes of it would hold 64 KiB.
 */
export class FrameBlocks {
  #block = Buffer.alloc(0);
  #used = 0;

  /** The same bytes, packed. */
  place(frame: Buffer): Buffer {
    const { length } = frame;
    if (length > placedBytesMax) return frame;
    if (this.#used + length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(frameBlockBytes);
      this.#used = 0;
    }
    const placed = this.#block.subarray(this.#used, this.#used + length);
    placed.set(frame);
    this.#used += length;
    return placed;
  }
}
