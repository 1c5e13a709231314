/** JSON frames end in a newline, protobuf frames begin with their length in 4 bytes. */
export type FrameEncoding = 'json' | 'protobuf';

/** Where frames go: a chunked response, an HTTP/2 stream, a WebSocket. */
export interface FrameChannel {
  /** Headers, at once (W1), for frames in that encoding. */
  open(encoding: FrameEncoding): void;
  /** Whole frames, in order. */
  write(frames: readonly Buffer[]): void;
  /** Written and not yet taken by the client. */
  readonly backlogBytes: number;
  /** Resolves when the client has caught up or is gone. */
  drained(): Promise<void>;
  /** A clean end. */
  end(): void;
  /** Cuts the connection: the client sees that the stream broke. */
  cut(): void;
  /** Calls back once when nobody listens any more. */
  onClose(callback: () => void): void;
}
