import type { Readable } from 'node:stream';

/** So much is taken from the stream ahead of who reads; the rest waits in it, and in the connection. */
const aheadBytesMax = 64 * 1024;

/**
 * Reads a stream of bytes, chunk by chunk, as they come. `for await` over a Readable does the same with two more promises and
 * a dozen more calls a chunk: watches bring small chunks, and many. One reader a stream, one `read` at a time.
 */
export class ChunkReader {
  readonly #stream: Readable;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isPaused = false;
  #ended: { readonly error: Error | undefined } | undefined;
  #waiting:
    | { readonly resolve: (chunk: Buffer | undefined) => void; readonly reject: (error: Error) => void }
    | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => this.#end(undefined));
    // Also for what comes when nobody reads any more: an 'error' without a listener would end the process.
    stream.on('error', (error) => this.#end(error));
    stream.on('close', () => this.#end(new Error('the stream was closed before its end')));
  }

  /** The next chunk, at once if it is there; undefined: the stream has ended. Throws or rejects with the stream's error. */
  read(): Buffer | undefined | Promise<Buffer | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#bytes -= chunk.length;
      if (this.#isPaused && this.#chunks.length === 0) {
        this.#isPaused = false;
        this.#stream.resume();
      }
      return chunk;
    }
    if (this.#ended !== undefined) {
      if (this.#ended.error === undefined) return undefined;
      throw this.#ended.error;
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Nothing more is read. Idempotent. */
  close(): void {
    this.#chunks = [];
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(chunk);
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < aheadBytesMax || this.#isPaused) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #end(error: Error | undefined): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    if (error === undefined) this.#waiting?.resolve(undefined);
    else this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
