import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { tlsOptions } from '#client/remote/connection.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import { protobufEvents } from './protobuf-events.ts';

const endAnnotation = 'k8s.io/initial-events-end';

/** One watch at one server, over a connection of its own: what has come of it so far. */
export class EventStream implements Disposable {
  readonly #response: IncomingMessage;
  readonly #destroy: () => void;
  #unread: Buffer = Buffer.alloc(0);
  #isEnded = false;
  /** Events so far, without the bookmarks that come by the clock. */
  readonly events: JsonObject[] = [];

  private constructor(response: IncomingMessage, destroy: () => void) {
    this.#response = response;
    this.#destroy = destroy;
    response.on('data', (chunk: Buffer) => this.#take(chunk));
    // Whoever is closed in the middle may be told of a reset.
    response.on('error', () => {});
    response.on('close', () => {
      this.#isEnded = true;
    });
  }

  /** Resolves with the headers. */
  static open(connection: ServerConnection, { path, headers }: RawRequest): Promise<EventStream> {
    const { hostname, port } = new URL(connection.server);
    return new Promise((resolve, reject) => {
      const sent = https.request(
        { ...tlsOptions(connection), agent: false, hostname, port, path, headers: { ...headers } },
        (response) => resolve(new EventStream(response, () => sent.destroy())),
      );
      sent.on('error', reject);
      sent.end();
    });
  }

  get isWatch(): boolean {
    return this.#response.statusCode === 200;
  }

  /** Whether the bookmark that ends the initial events has come. */
  get isInitiallyComplete(): boolean {
    return this.events.some(
      ({ type, object }) => type === 'BOOKMARK' && annotationsOf(object)[endAnnotation] === 'true',
    );
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Until an event tells of an object that has the annotation, or the server ends the stream. */
  async untilAnnotated(key: string): Promise<void> {
    await until(
      `an event with ${key}: ${this.events.length} events so far`,
      () => this.#isEnded || this.events.some((event) => JSON.stringify(event).includes(`"${key}"`)),
    );
  }

  /** Status and headers; the body too when it is no stream of events. */
  async answer(): Promise<RawAnswer> {
    if (!this.isWatch) await until('the refusal is there', () => this.#isEnded);
    const { statusCode = 0, headers } = this.#response;
    const text = this.#unread.toString('utf8');
    const json = this.isWatch ? { events: this.events } : refusalOf(text);
    return { status: statusCode, headers, text, json };
  }

  [Symbol.dispose](): void {
    this.#destroy();
  }

  #take(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    if (!this.isWatch) return;
    const isProtobuf = String(this.#response.headers['content-type']).includes('protobuf');
    const { events, rest } = isProtobuf ? protobufEvents(this.#unread) : jsonEvents(this.#unread);
    this.#unread = rest;
    for (const event of events)
      if (event['type'] !== 'BOOKMARK' || endAnnotation in annotationsOf(event['object']))
        this.events.push(event);
  }
}

/** One a line. */
function jsonEvents(buffer: Buffer): { readonly events: JsonObject[]; readonly rest: Buffer } {
  const end = buffer.lastIndexOf(0x0a) + 1;
  const lines = buffer.subarray(0, end).toString('utf8').split('\n');
  const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as JsonObject);
  return { events, rest: buffer.subarray(end) };
}

function refusalOf(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

/** Of an object, of its metadata alone, or of the first row of a Table. */
function annotationsOf(object: unknown): JsonObject {
  if (!isJsonObject(object as JsonObject)) return {};
  const { metadata, rows } = object as JsonObject;
  if (Array.isArray(rows)) {
    const [row] = rows;
    return isJsonObject(row) ? annotationsOf(row['object']) : {};
  }
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  return isJsonObject(annotations) ? annotations : {};
}
