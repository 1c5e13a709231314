import { ApiError } from '#apimachinery/api-error.ts';
import type { ObjectRef } from '#client/client.ts';
import type { Random } from '../../harness/random.ts';
import { type CallFault, drawCallFault, unreachable } from './call-faults.ts';
import { breakStreams, type Link, newLink } from './link.ts';
import type { Reachable } from './reachable.ts';
import { StrayWrites } from './stray-writes.ts';
import type { VirtualTime } from './virtual-time.ts';

const fnvPrime = 0x01000193;
/** After so long without a sign from the other side a stream is given up. */
const keepAliveMs = 15_000;

interface Counted {
  [what: string]: number;
}

/** What is between simulated processes: links that are cut, slow, damaged or lied over, and the faults of single calls; all of it is counted. */
export class Traffic {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #links = new Map<string, Link>();
  /** By the name of several servers, their own. */
  readonly #groups = new Map<string, readonly string[]>();
  /** By server: up to which revision of which store it has no events. */
  readonly #forgotten = new Map<string, { readonly incarnationId: string; readonly revision: number }>();
  /** Share of the calls that go wrong. */
  faultRate = 0;
  /** Of every verb from one to another. */
  requests: Counted = {};
  /** Done when a component's deletion or apply has come to the server, before it is carried out. */
  beforeWrite: ((verb: 'delete' | 'apply', server: string, ref: ObjectRef) => Promise<void>) | undefined;
  readonly strayWrites: StrayWrites;
  /** How often credentials were not accepted. */
  refusals = 0;
  /** Of every request in its order and moment. */
  digest = 0;
  /** Faults that had an effect, by name. */
  readonly struck: Counted = {};

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
    this.strayWrites = new StrayWrites(time);
  }

  /** What is done to the links to the name is done to those to each of them. */
  join(name: string, servers: readonly string[]): void {
    if (servers.length > 1) this.#groups.set(name, servers);
  }

  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = newLink();
      this.#links.set(key, link);
    }
    return link;
  }

  /** Nothing passes any more; nobody is told. */
  cut(from: string, to: string): void {
    for (const link of this.#linksTo(from, to)) {
      link.isCut = true;
      const epoch = ++link.epoch;
      void this.#time.sleep(keepAliveMs).then(() => {
        if (link.epoch === epoch) breakStreams(link, unreachable('no sign of the other side'));
      });
    }
  }

  heal(from: string, to: string): void {
    for (const link of this.#linksTo(from, to)) {
      link.isCut = false;
      link.epoch++;
    }
  }

  healAll(): void {
    this.faultRate = 0;
    for (const link of this.#links.values()) {
      if (link.isCut) link.epoch++;
      link.isCut = false;
      link.heldUntilMs = 0;
      link.bytesUntilMs = 0;
      link.lieUntilMs = 0;
    }
  }

  /** Streams of a link end. `Expired`: the server says that the revision is compacted. */
  breakStreams(from: string, to: string, how: 'reset' | 'expired'): void {
    for (const link of this.#linksTo(from, to)) {
      breakStreams(
        link,
        how === 'reset'
          ? unreachable('connection reset')
          : new ApiError('Expired', 'the revision is compacted'),
      );
    }
  }

  /** Events of a link come so much later. */
  hold(from: string, to: string, forMs: number): void {
    for (const link of this.#linksTo(from, to)) link.heldUntilMs = this.#time.nowMs + forMs;
  }

  /** For so long what begins on a link goes as bytes, and a share of it is damaged; watches begin anew. */
  damage(from: string, to: string, rate: number, forMs: number): void {
    for (const link of this.#linksTo(from, to)) {
      link.bytesUntilMs = this.#time.nowMs + forMs;
      link.byteFaultRate = rate;
    }
    this.breakStreams(from, to, 'reset');
  }

  /** For so long the server answers a share of the calls with lies. Whoever makes it truthful again restarts it: see `forgetEvents`. */
  lie(from: string, to: string, rate: number, forMs: number): void {
    const link = this.link(from, to);
    link.lieUntilMs = this.#time.nowMs + forMs;
    link.lieRate = rate;
  }

  /** The server, restarted, has none of its former events any more: whoever watches its objects from then lists them anew. */
  async forgetEvents(server: Reachable): Promise<void> {
    const { name, incarnationId } = server;
    this.#forgotten.set(name, { incarnationId, revision: await server.currentRevision() });
    for (const [key, link] of this.#links) {
      if (key.endsWith(`>${name}`)) breakStreams(link, new ApiError('Expired', 'the revision is compacted'));
    }
  }

  /** Throws Expired where the server has forgotten what came after the revision. */
  compareRevision({ name, incarnationId }: Reachable, resourceVersion: string | undefined): void {
    const forgotten = this.#forgotten.get(name);
    if (forgotten?.incarnationId !== incarnationId || resourceVersion === undefined) return;
    if (Number(resourceVersion) >= forgotten.revision || resourceVersion === '0') return;
    throw new ApiError('Expired', 'the revision is compacted');
  }

  #linksTo(from: string, to: string): Link[] {
    return (this.#groups.get(to) ?? [to]).map((server) => this.link(from, server));
  }

  drawLie(link: Link): boolean {
    return link.lieUntilMs > this.#time.nowMs && this.#random.next() < link.lieRate;
  }

  drawFault(): CallFault | undefined {
    if (this.faultRate === 0 || this.#random.next() >= this.faultRate) return undefined;
    return drawCallFault(this.#random);
  }

  count(from: string, to: string, verb: string): void {
    const what = `${from}>${to} ${verb}`;
    add(this.requests, what);
    for (const character of `${this.#time.nowMs} ${what}`) {
      this.digest = Math.imul(this.digest ^ (character.codePointAt(0) ?? 0), fnvPrime) >>> 0;
    }
  }

  countFault(fault: string): void {
    add(this.struck, fault);
  }
}

function add(counted: Counted, what: string): void {
  counted[what] = (counted[what] ?? 0) + 1;
}
