import type { Exchange } from './exchange.ts';

/**
 * Requests whose bodies are on their way; bounded by those that may be under way. An array, each request knowing its
 * place: a `Set` that requests enter and leave all the time is copied every few of them, and each copy leads to the next,
 * so that once one has become old the garbage collector takes along all later ones with their requests.
 */
export class Receiving {
  readonly #exchanges: Exchange[] = [];

  add(exchange: Exchange): void {
    exchange.receivingAt = this.#exchanges.length;
    this.#exchanges.push(exchange);
  }

  /** Does nothing for one that is not there. */
  delete(exchange: Exchange): void {
    const at = exchange.receivingAt;
    if (at < 0) return;
    exchange.receivingAt = -1;
    const last = this.#exchanges.pop();
    if (last === undefined || last === exchange) return;
    this.#exchanges[at] = last;
    last.receivingAt = at;
  }

  /** All that are there now. */
  list(): readonly Exchange[] {
    return [...this.#exchanges];
  }
}
