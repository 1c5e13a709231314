import { isApiError } from '#apimachinery/api-error.ts';

/** What bears on a decision and could not be had, in words: who asks is told what the answer leaves out. */
export class Unread {
  readonly #what = new Set<string>();

  get list(): string[] {
    return [...this.#what];
  }

  add(what: string): void {
    this.#what.add(what);
  }

  /** What is read; `otherwise` where there is none, or it is not for this user to read. */
  async or<Read, Otherwise>(
    what: string,
    read: () => Promise<Read>,
    otherwise: Otherwise,
  ): Promise<Read | Otherwise> {
    try {
      return await read();
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Forbidden')) throw error;
      if (isApiError(error, 'Forbidden')) this.add(`${what}: not for this user to read`);
      return otherwise;
    }
  }
}
