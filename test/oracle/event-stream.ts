import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { tlsOptions } from '#client/remote/connection.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';

const endAnnotation = 'k8s.io/initial-events-end';

/** One watch at one server, over a connection of its own: what has come of it so far. JSON only. */
export class EventStream implements Disposable {
  readonly #response: IncomingMessage;
  readonly #destroy: () => void;
  #text = '';
  #isEnded = false;
  /** Events so far, without the bookmarks that come by the clock. */
  readonly events: JsonObject[] = [];

  private constructor(response: IncomingMessage, destroy: () => void) {
    this.#response = response;
    this.#destroy = destroy;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#take(chunk));
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
    const json = this.isWatch ? { events: this.events } : refusalOf(this.#text);
    return { status: statusCode, headers, text: this.#text, json };
  }

  [Symbol.dispose](): void {
    this.#destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    if (!this.isWatch) return;
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const event = JSON.parse(line) as JsonObject;
      if (event['type'] !== 'BOOKMARK' || endAnnotation in annotationsOf(event['object']))
        this.events.push(event);
    }
  }
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
