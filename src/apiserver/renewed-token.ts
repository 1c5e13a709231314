import { readFile } from 'node:fs/promises';
import type { ServerConnection } from '#client/remote/connection.ts';

/** A kubelet renews a pod's token long before it ends; client-go looks once a minute too. */
const freshMs = 60_000;

/** The bearer token of a connection, read again from its file where it has one: a pod's token lives for an hour. */
export class RenewedToken {
  readonly #file: string | undefined;
  readonly #now: () => number;
  #token: string | undefined;
  #readAtMs: number;

  constructor({ token, tokenFile }: ServerConnection, now: () => number = Date.now) {
    this.#token = token;
    this.#file = tokenFile;
    this.#now = now;
    this.#readAtMs = now();
  }

  /** The last one read, while the file cannot be. */
  async get(): Promise<string | undefined> {
    if (this.#file === undefined || this.#now() - this.#readAtMs < freshMs) return this.#token;
    this.#readAtMs = this.#now();
    const text = (await readFile(this.#file, 'utf8').catch(() => '')).trim();
    if (text !== '') this.#token = text;
    return this.#token;
  }
}
