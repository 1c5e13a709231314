import { ApiError } from '#apimachinery/api-error.ts';

/** A watch event that is not taken, with how much of it was read. */
export class FrameTooLarge extends ApiError {
  readonly bytes: number;

  constructor(frameBytesMax: number, bytes: number) {
    super('InternalError', `a watch event is larger than ${frameBytesMax} bytes`);
    this.bytes = bytes;
  }
}

/** Cuts a byte stream into newline-ended frames (KUBERNETES.md W1); frames over the limit are an error, not memory. */
export class LineDecoder {
  readonly #frameBytesMax: number;
  #parts: Buffer[] = [];
  #partBytes = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Returns the complete frames that end in this chunk, without their newline; empty lines are left out. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(10, start);
      if (end < 0) break;
      const tail = chunk.subarray(start, end);
      const frame = this.#parts.length === 0 ? tail : Buffer.concat([...this.#parts, tail]);
      this.#parts = [];
      this.#partBytes = 0;
      if (frame.length > 0) frames.push(frame);
      start = end + 1;
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start);
      this.#parts.push(rest);
      this.#partBytes += rest.length;
      if (this.#partBytes > this.#frameBytesMax) {
        throw new FrameTooLarge(this.#frameBytesMax, this.#partBytes);
      }
    }
    return frames;
  }
}
