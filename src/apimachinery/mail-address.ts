import { isIP } from 'node:net';

/** RFC 5322's atext with dots, and what is not ASCII (RFC 6532). */
const dotAtom = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\uffff-]*/y;
/** A quoted-string's inside. */
const quoted = /"((?:[^\x00-\x08\x0a-\x1f\x7f"\\]|\\[^\x00-\x08\x0a-\x1f\x7f])*)"/y;

/** Reads on from `at`; a method answers false, or undefined, for what cannot be read, and has then moved anywhere. */
class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  startsWith(char: string): boolean {
    return this.#text[this.at] === char;
  }

  take(char: string): boolean {
    if (!this.startsWith(char)) return false;
    this.at++;
    return true;
  }

  skipSpace(): void {
    while (this.startsWith(' ') || this.startsWith('\t')) this.at++;
  }

  /** White space and comments; false for a comment that has no end. */
  skipComments(): boolean {
    this.skipSpace();
    while (this.startsWith('(')) {
      if (!this.#comment()) return false;
      this.skipSpace();
    }
    return true;
  }

  #comment(): boolean {
    for (let depth = 0; !this.isAtEnd; this.at++) {
      if (this.startsWith('\\') && this.at + 1 < this.#text.length) this.at++;
      else if (this.startsWith('(')) depth++;
      else if (this.startsWith(')') && --depth === 0) {
        this.at++;
        return true;
      }
    }
    return false;
  }

  /** The next words, dots anywhere: undefined when there is none. */
  atom(): string | undefined {
    return this.#match(dotAtom)?.[0] || undefined;
  }

  quotedString(): string | undefined {
    return this.#match(quoted)?.[1];
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.at = pattern.lastIndex;
    return found;
  }

  /** `local@domain`. */
  addrSpec(): boolean {
    this.skipSpace();
    if (this.startsWith('"') ? !this.quotedString() : !isDotAtom(this.atom())) return false;
    if (!this.take('@')) return false;
    this.skipSpace();
    if (!this.startsWith('[')) return isDotAtom(this.atom());
    const close = this.#text.indexOf(']', this.at);
    if (close < 0 || isIP(this.#text.slice(this.at + 1, close)) === 0) return false;
    this.at = close + 1;
    return true;
  }

  /** The words before an address in angle brackets; false when there is none. */
  phrase(): boolean {
    for (let words = 0; ; words++) {
      if (words > 0 && !this.skipComments()) return false;
      this.skipSpace();
      const before = this.at;
      const word = this.startsWith('"') ? this.quotedString() : this.atom();
      if (word !== undefined) continue;
      this.at = before;
      return words > 0;
    }
  }

  /** The number of addresses of a mailbox or, unless within one, a group; undefined when it is neither. */
  address(isWithinGroup = false): number | undefined {
    this.skipSpace();
    if (this.isAtEnd) return undefined;
    const before = this.at;
    if (this.addrSpec()) {
      this.skipSpace();
      return this.startsWith('(') && !this.#comment() ? undefined : 1;
    }
    this.at = before;
    if (!this.startsWith('<') && !this.phrase()) return undefined;
    this.skipSpace();
    if (!isWithinGroup && this.take(':')) return this.#group();
    return this.take('<') && this.addrSpec() && this.take('>') ? 1 : undefined;
  }

  #group(): number | undefined {
    this.skipSpace();
    if (this.take(';')) return this.skipComments() ? 0 : undefined;
    for (let count = 1; ; count++) {
      if (this.address(true) === undefined || !this.skipComments()) return undefined;
      if (this.take(';')) return this.skipComments() ? count : undefined;
      if (!this.take(',')) return undefined;
    }
  }
}

function isDotAtom(text: string | undefined): boolean {
  return text !== undefined && !text.startsWith('.') && !text.endsWith('.') && !text.includes('..');
}

/** Go's mail.ParseAddress (RFC 5322 with RFC 6532): one address, with or without a name. */
export function isMailAddress(text: string): boolean {
  const reader = new Reader(text);
  return reader.address() === 1 && reader.skipComments() && reader.isAtEnd;
}
