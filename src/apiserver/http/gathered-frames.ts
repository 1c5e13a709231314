import type { FrameChannel, FrameEncoding } from './frame-channel.ts';

/** Frames that come sooner than this after those sent last wait for one another, so long at most. */
const pauseMs = 10;
/** More than this does not wait. */
const gatheredBytesMax = 64 * 1024;

/**
 * Sends a lone frame at once, and of a dense stream of them many at a time: each write costs both ends a system call and a
 * TLS record, whatever it holds.
 */
export class GatheredFrames implements FrameChannel {
  readonly #channel: FrameChannel;
  #frames: Buffer[] = [];
  #bytes = 0;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  readonly #onTime = (): void => this.#send();

  constructor(channel: FrameChannel) {
    this.#channel = channel;
  }

  open(encoding: FrameEncoding): void {
    this.#channel.open(encoding);
  }

  write(frames: readonly Buffer[]): void {
    if (this.#frames.length === 0) {
      const nowMs = performance.now();
      const waitMs = this.#sentAtMs + pauseMs - nowMs;
      if (waitMs <= 0) {
        this.#sentAtMs = nowMs;
        this.#channel.write(frames);
        return;
      }
      this.#timer = setTimeout(this.#onTime, waitMs);
    }
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#bytes += frame.length;
    }
    if (this.#bytes > gatheredBytesMax) this.#send();
  }

  get backlogBytes(): number {
    return this.#bytes + this.#channel.backlogBytes;
  }

  drained(): Promise<void> {
    this.#send();
    return this.#channel.drained();
  }

  end(): void {
    this.#send();
    this.#channel.end();
  }

  cut(): void {
    this.#drop();
    this.#channel.cut();
  }

  onClose(callback: () => void): void {
    this.#channel.onClose(() => {
      this.#drop();
      callback();
    });
  }

  #send(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#drop();
    this.#sentAtMs = performance.now();
    this.#channel.write(frames);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#frames = [];
    this.#bytes = 0;
  }
}
