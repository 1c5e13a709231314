import { Duplex } from 'node:stream';
import type { PeerCertificate } from 'node:tls';
import type { AcceptedConnection } from '#apiserver/http/server.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { Random } from '../../harness/random.ts';
import { type ByteFault, doubledConnection, drawByteFault, StruckAnswer } from './byte-faults.ts';

/** What a wire lies in. */
export interface WireOptions {
  readonly random: Random;
  readonly user: UserInfo;
  /** The server's side of a connection; false: nobody listens. */
  readonly accept: (connection: AcceptedConnection) => boolean;
  /** How long it takes to the other side, in order; to the client only while that is awake. */
  readonly delay: (to: 'client' | 'server') => Promise<void>;
  /** Calls back when the connection breaks by what happens to its ends. Returns how to take that back. */
  readonly onBreak: (callback: () => void) => () => void;
  /** Share of the answers and connections that are struck now. */
  readonly faultRate: () => number;
  readonly struck: (fault: ByteFault | typeof doubledConnection) => void;
}

/** Asked for twice, they do what they do once (RFC 9110, 9.2.2). */
const idempotent = /^(?:GET|PUT|DELETE) /;

/**
 * A new connection of HTTP/1.1 in virtual time: bytes between the code of a client and that of a server, damaged by chance.
 * Rejects with ECONNREFUSED.
 */
export async function openWire(options: WireOptions): Promise<Duplex> {
  await options.delay('server');
  const wire = new Wire(options);
  if (!wire.isAccepted) throw errorOf('ECONNREFUSED');
  await options.delay('client');
  return wire.client;
}

class Wire {
  readonly client: End;
  readonly isAccepted: boolean;
  readonly #options: WireOptions;
  #server: End;
  /** Of a connection that was attempted twice. */
  #double: End | undefined;
  #isAsked = false;
  #answer: StruckAnswer | undefined;
  #toServer: Promise<void> = Promise.resolve();
  #toClient: Promise<void> = Promise.resolve();
  #isBroken = false;

  constructor(options: WireOptions) {
    this.#options = options;
    this.#server = this.#serverEnd();
    this.isAccepted = options.accept(this.#server);
    const forget = options.onBreak(() => this.#break());
    this.client = new End(options.user, {
      bytes: (bytes) => this.#ask(bytes),
      end: () => this.#later('server', () => this.#server.push(null)),
      gone: () => {
        forget();
        this.#break();
      },
    });
    if (!this.isAccepted) {
      this.client.destroy();
      return;
    }
    if (options.random.next() >= options.faultRate()) return;
    this.#double = this.#serverEnd();
    if (!options.accept(this.#double)) this.#double = undefined;
  }

  #serverEnd(): End {
    const end: End = new End(this.#options.user, {
      bytes: (bytes) => this.#reply(end, bytes),
      end: () => {
        if (end === this.#server) this.#later('client', () => this.client.push(null));
      },
      gone: () => {
        if (end === this.#server) this.#later('client', () => this.#break());
      },
    });
    return end;
  }

  /** One connection bears one request after the other: bytes behind an answer begin the next. */
  #ask(bytes: Buffer): void {
    const { random, faultRate } = this.#options;
    const isNew = !this.#isAsked;
    if (isNew) {
      this.#isAsked = true;
      this.#answer = random.next() < faultRate() ? this.#struckAnswer() : undefined;
      const double = this.#double;
      this.#double = undefined;
      if (double !== undefined) this.#askTwice(double, bytes);
    }
    this.#later('server', () => this.#server.push(bytes));
  }

  #askTwice(double: End, bytes: Buffer): void {
    if (!idempotent.test(bytes.subarray(0, 8).toString('latin1'))) {
      double.destroy();
      return;
    }
    this.#options.struck(doubledConnection);
    let unheard = double;
    if (this.#options.random.next() < 0.5) {
      unheard = this.#server;
      this.#server = double;
    }
    unheard.onAnswered = () => unheard.destroy();
    this.#later('server', () => unheard.push(bytes));
  }

  #struckAnswer(): StruckAnswer {
    const { random, struck } = this.#options;
    return new StruckAnswer(drawByteFault(random), random, {
      bytes: (bytes) => this.#tell(bytes),
      end: () => {
        this.#later('client', () => this.client.push(null));
        this.#server.destroy();
      },
      reset: () => {
        this.#later('client', () => this.#break());
      },
      struck,
    });
  }

  #reply(from: End, bytes: Buffer): void {
    if (from !== this.#server) {
      from.onAnswered?.();
      return;
    }
    this.#isAsked = false;
    if (this.#answer === undefined) this.#tell(bytes);
    else this.#answer.write(bytes);
  }

  #tell(bytes: Buffer): void {
    if (bytes.length > 0) this.#later('client', () => this.client.push(bytes));
  }

  #later(to: 'client' | 'server', act: () => void): void {
    const arrived = this.#options.delay(to);
    const step = async (before: Promise<void>) => {
      await before;
      await arrived;
      if (!this.#isBroken) act();
    };
    if (to === 'client') this.#toClient = step(this.#toClient);
    else this.#toServer = step(this.#toServer);
  }

  #break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.client.destroy(errorOf('ECONNRESET'));
    for (const end of [this.#server, this.#double]) end?.destroy(errorOf('ECONNRESET'));
  }
}

interface EndEvents {
  bytes(bytes: Buffer): void;
  end(): void;
  gone(): void;
}

/** One end of a connection; at the server's it shows a certificate of the user at the other. */
class End extends Duplex implements AcceptedConnection {
  readonly authorized = true;
  /** Told when something was answered to one that nobody hears. */
  onAnswered: (() => void) | undefined;
  readonly #events: EndEvents;
  readonly #user: UserInfo;

  constructor(user: UserInfo, events: EndEvents) {
    super({ allowHalfOpen: false });
    this.#user = user;
    this.#events = events;
    this.on('error', () => {}); // whoever uses it hears of it too
  }

  getPeerCertificate(): Partial<PeerCertificate> {
    const { name, groups } = this.#user;
    const subject = { CN: name, O: groups as string[], C: '', ST: '', L: '', OU: '' };
    return {
      subject,
      valid_from: 'Jan  1 00:00:00 2000 GMT',
      valid_to: 'Jan  1 00:00:00 2100 GMT',
      fingerprint256: Buffer.from(name).toString('hex'),
    };
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#events.bytes(chunk);
    done();
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#events.bytes(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  override _final(done: () => void): void {
    this.#events.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#events.gone();
    done(error);
  }
}

function errorOf(code: 'ECONNRESET' | 'ECONNREFUSED'): Error {
  return Object.assign(new Error(code === 'ECONNRESET' ? 'connection reset' : 'connection refused'), {
    code,
  });
}
