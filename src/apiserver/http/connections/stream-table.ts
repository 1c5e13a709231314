import type { ServerHttp2Session } from 'node:http2';
import { types } from 'node:util';

/** A power of two. Twice as many are made when half of them are taken. */
const firstPlaces = 64;

/**
 * What a session of HTTP/2 has its streams in, by their numbers (never 0). Like a Map, whose places are used again: V8 copies a Map with
 * much coming and going every few steps, and each old copy, once it has become old itself, keeps alive what was in it and the
 * copy after it until the next full collection (decision 229).
 */
export class StreamTable<Stream> {
  #numbers = new Int32Array(firstPlaces);
  #streams = emptyPlaces<Stream>(firstPlaces);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): Stream | undefined {
    return this.#streams[this.#placeOf(number)];
  }

  set(number: number, stream: Stream): this {
    if (this.#size * 2 >= this.#numbers.length) this.#grow();
    const place = this.#placeOf(number);
    if (this.#numbers[place] === 0) this.#size++;
    this.#numbers[place] = number;
    this.#streams[place] = stream;
    return this;
  }

  delete(number: number): boolean {
    const numbers = this.#numbers;
    const mask = numbers.length - 1;
    let free = this.#placeOf(number);
    if (numbers[free] === 0) return false;
    this.#size--;
    // What follows without a gap moves up unless it would come before the place where it is looked for first.
    for (let place = (free + 1) & mask; numbers[place] !== 0; place = (place + 1) & mask) {
      const moved = numbers[place] as number;
      const first = firstPlaceOf(moved) & mask;
      if (((place - first) & mask) < ((place - free) & mask)) continue;
      numbers[free] = moved;
      this.#streams[free] = this.#streams[place];
      free = place;
    }
    numbers[free] = 0;
    this.#streams[free] = undefined;
    return true;
  }

  /** Of the streams that are there when it begins. */
  forEach(callback: (stream: Stream, number: number) => void): void {
    const numbers = this.#numbers.slice();
    const streams = this.#streams.slice();
    for (const [place, number] of numbers.entries())
      if (number !== 0) callback(streams[place] as Stream, number);
  }

  /** Its own, or the one where it would be. */
  #placeOf(number: number): number {
    const numbers = this.#numbers;
    const mask = numbers.length - 1;
    let place = firstPlaceOf(number) & mask;
    while (numbers[place] !== number && numbers[place] !== 0) place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const numbers = this.#numbers;
    const streams = this.#streams;
    this.#numbers = new Int32Array(numbers.length * 2);
    this.#streams = emptyPlaces(numbers.length * 2);
    this.#size = 0;
    for (const [place, number] of numbers.entries())
      if (number !== 0) this.set(number, streams[place] as Stream);
    streams.fill(undefined);
  }
}

/** RFC 9113, 5.1.1: those that a client opens are odd. */
function firstPlaceOf(number: number): number {
  return number >> 1;
}

function emptyPlaces<Stream>(count: number): (Stream | undefined)[] {
  return new Array<Stream | undefined>(count).fill(undefined);
}

/**
 * Gives a session that has just begun such a table in place of Node's Map; returns whether it did. Where Node keeps its streams is no
 * interface: where they are not found, or some are there already, the session stays as it is.
 */
export function useStreamTable(session: ServerHttp2Session): boolean {
  for (const symbol of Object.getOwnPropertySymbols(session)) {
    const state = (session as unknown as { readonly [symbol: symbol]: unknown })[symbol];
    if (symbol.description !== 'state' || !holdsStreams(state) || state.streams.size > 0) continue;
    state.streams = new StreamTable();
    return true;
  }
  return false;
}

function holdsStreams(state: unknown): state is { streams: { readonly size: number } } {
  if (typeof state !== 'object' || state === null || !('streams' in state)) return false;
  const { streams } = state;
  // Node's own kind of Map, which is no instance of everybody's.
  return types.isMap(streams);
}
