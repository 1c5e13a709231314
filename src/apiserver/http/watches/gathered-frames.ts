import { type Clock, systemClock, type TimerHandle } from '#apimachinery/clock.ts';
import type { Exchange } from '../exchange.ts';
import type { FrameChannel, FrameEncoding } from './frame-channel.ts';
import { FramePause } from './frame-pause.ts';

/** More than this in one watch does not wait. */
const gatheredBytesMax = 64 * 1024;

/** What all watches over one connection share: when something was sent on it, and who waits to send. */
class ConnectionPace {
  readonly #clock: Clock;
  /** Frames that come sooner than this after those sent last wait for one another, so long at most. */
  readonly #pause: FramePause;
  readonly #waiting = new Set<GatheredFrames>();
  #sentAtMs = Number.NEGATIVE_INFINITY;
  /** What comes in the same turn as what goes at once goes with it: it costs no write of its own. */
  #isOpen = false;
  #timer: TimerHandle | undefined;
  readonly #onTime = (): void => this.#sendAll();
  readonly #onTurnEnd = (): void => {
    this.#isOpen = false;
  };

  constructor(clock: Clock, pause: FramePause) {
    this.#clock = clock;
    this.#pause = pause;
  }

  /** Whether frames may be sent now; else whoever has some joins. */
  opens(): boolean {
    if (this.#isOpen) return true;
    if (this.#waiting.size > 0) return false;
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#sentAtMs < this.#pause.ms) return false;
    this.#sentAtMs = nowMs;
    this.#isOpen = true;
    queueMicrotask(this.#onTurnEnd);
    return true;
  }

  join(channel: GatheredFrames): void {
    this.#waiting.add(channel);
    this.#timer ??= this.#clock.setTimeout(
      this.#onTime,
      this.#sentAtMs + this.#pause.ms - this.#clock.monotonic(),
    );
  }

  leave(channel: GatheredFrames): void {
    if (!this.#waiting.delete(channel) || this.#waiting.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sendAll(): void {
    this.#timer = undefined;
    this.#sentAtMs = this.#clock.monotonic();
    for (const channel of [...this.#waiting]) channel.send();
  }
}

/**
 * Sends a lone frame at once, and of a dense stream of them many at a time: each write to a connection costs both ends a
 * system call, a TLS record and a turn of the event loop, whatever it holds. Frames of all watches that share a connection
 * go together, those of one watch in their order.
 */
class GatheredFrames implements FrameChannel {
  readonly #channel: FrameChannel;
  readonly #pace: ConnectionPace;
  #frames: Buffer[] = [];
  #bytes = 0;

  constructor(channel: FrameChannel, pace: ConnectionPace) {
    this.#channel = channel;
    this.#pace = pace;
  }

  open(encoding: FrameEncoding): void {
    this.#channel.open(encoding);
  }

  write(frames: readonly Buffer[]): void {
    if (this.#frames.length === 0) {
      if (this.#pace.opens()) {
        this.#channel.write(frames);
        return;
      }
      this.#pace.join(this);
    }
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#bytes += frame.length;
    }
    if (this.#bytes > gatheredBytesMax) this.send();
  }

  get backlogBytes(): number {
    return this.#bytes + this.#channel.backlogBytes;
  }

  drained(): Promise<void> {
    this.send();
    return this.#channel.drained();
  }

  end(): void {
    this.send();
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

  /** Sends what was gathered. */
  send(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#drop();
    this.#channel.write(frames);
  }

  #drop(): void {
    this.#pace.leave(this);
    this.#frames = [];
    this.#bytes = 0;
  }
}

/** Gathers the frames of watches by the connections that they go over. */
export class FrameGatherer {
  readonly #clock: Clock;
  readonly #pause: FramePause;
  /** A connection's goes with it. */
  readonly #paces = new WeakMap<object, ConnectionPace>();

  constructor(clock: Clock = systemClock, pause = new FramePause(clock)) {
    this.#clock = clock;
    this.#pause = pause;
  }

  /** The channel of one watch over `connection`: a socket, or a session of HTTP/2. */
  gather(channel: FrameChannel, connection: object): FrameChannel {
    let pace = this.#paces.get(connection);
    if (pace === undefined) {
      pace = new ConnectionPace(this.#clock, this.#pause);
      this.#paces.set(connection, pace);
    }
    return new GatheredFrames(channel, pace);
  }
}

/** What an exchange's answer shares with others that go to the same client. */
export function connectionOf({ response, upgrade }: Exchange): object {
  if (upgrade !== undefined) return upgrade.socket;
  if ('stream' in response) return response.stream.session ?? response.stream;
  return response.socket ?? response;
}
