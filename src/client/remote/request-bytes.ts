import { type Dispatcher, errors } from 'undici';
import type { OpenCall } from '../open-calls.ts';

export interface AnsweredBytes {
  readonly statusCode: number;
  readonly body: Buffer;
}

/**
 * One request with its whole answer, ended early when the call is. Undici's own `request` makes a stream, an AbortSignal and
 * a chain of promises of each, which cost more than the answers of an API server hold. An answer that says beforehand that it
 * is longer than `bytesMax` is not read at all: rejects with undici's ResponseExceededMaxSizeError, as the dispatcher does for
 * one that turns out to be.
 */
export function requestBytes(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  call: OpenCall,
  bytesMax = Number.POSITIVE_INFINITY,
): Promise<AnsweredBytes> {
  return new Promise((resolve, reject) => {
    const answer = new Answer(resolve, reject, bytesMax);
    call.onAbort((reason) => answer.abort(reason));
    if (!answer.isAborted) dispatcher.dispatch(options, answer);
  });
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: AnsweredBytes) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #bytesMax: number;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #statusCode = 0;
  readonly #chunks: Buffer[] = [];

  constructor(resolve: (answer: AnsweredBytes) => void, reject: (reason: unknown) => void, bytesMax: number) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#bytesMax = bytesMax;
  }

  get isAborted(): boolean {
    return this.#aborted !== undefined;
  }

  abort(reason: unknown): void {
    this.#aborted = { reason };
    this.#controller?.abort(asError(reason));
    this.#reject(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted !== undefined) controller.abort(asError(this.#aborted.reason));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: { readonly [name: string]: string | string[] | undefined },
  ): void {
    this.#statusCode = statusCode;
    if (Number(headers['content-length']) > this.#bytesMax) {
      this.abort(new errors.ResponseExceededMaxSizeError());
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#resolve({ statusCode: this.#statusCode, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('the request was given up', { cause: reason });
}
