import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import type { RecordHeader } from './record.ts';

/** Holds that revisions follow one another without gap and that each has all its operations. */
export class LogCheck {
  #revision: Revision;
  #index = 0;
  #count = 0;

  constructor(after: Revision) {
    this.#revision = after;
  }

  /** The revision of the entry last seen. */
  get revision(): Revision {
    return this.#revision;
  }

  /** All operations of `revision` have been seen. */
  get whole(): boolean {
    return this.#index === this.#count;
  }

  /** Throws `corrupt`. */
  next({ revision, record }: { readonly revision: Revision; readonly record: RecordHeader }): void {
    if (revision !== this.#revision) {
      this.#assertWhole();
      if (revision !== this.#revision + 1) this.#fail('a revision is missing', revision);
      this.#revision = revision;
      this.#index = 0;
      this.#count = record.count;
    }
    if (record.index !== this.#index || record.count !== this.#count) {
      this.#fail('a revision has lost an operation', revision);
    }
    this.#index++;
  }

  /** Throws `corrupt` unless the log reached `last`. */
  end(last: Revision): void {
    this.#assertWhole();
    if (this.#revision !== last) this.#fail('the log ends before the head', last);
  }

  #assertWhole(): void {
    if (!this.whole) this.#fail('a revision has lost an operation', this.#revision);
  }

  #fail(message: string, found: Revision): never {
    throw new StorageError('corrupt', message, { after: this.#revision, found });
  }
}
