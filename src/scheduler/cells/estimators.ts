import { LRUCache } from 'lru-cache';
import { Agent, request } from 'undici';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';
import type { CellInfo } from '../algorithm/cell.ts';

/** docs/policies.md, Estimators: what is posted to a cell's estimator. */
export interface EstimateQuestion extends JsonObject {
  apiVersion: 'federation.cellplane.io/v1alpha1';
  kind: 'EstimateRequest';
  /** What one replica asks for, in whole units: cores, bytes. */
  request: { [resource: string]: number };
  /** Parts of the pod template that decide where pods can run. */
  nodeSelector?: JsonObject;
  affinity?: JsonObject;
  tolerations?: JsonObject[];
  priorityClassName?: string;
}

/** The same: how many of a workload's replicas the edge has found no node for, for at least so long. */
export interface UnschedulableQuestion extends JsonObject {
  apiVersion: 'federation.cellplane.io/v1alpha1';
  kind: 'UnschedulableRequest';
  /** As it is called at the edge. */
  resource: { apiVersion: string; kind: string; namespace: string; name: string };
  afterSeconds: number;
}

export type EstimatorQuestion = EstimateQuestion | UnschedulableQuestion;

const answerFields: { readonly [kind in EstimatorQuestion['kind']]: string } = {
  EstimateRequest: 'replicas',
  UnschedulableRequest: 'unschedulableReplicas',
};

const answersMax = 50_000;
const answerBytesMax = 64 * 1024;
/** How long an answer is taken for true. */
const answerMs = 5_000;
/** How long an estimator that failed is not asked; one that fails at the second question may not know it. */
const restMs: { readonly [kind in EstimatorQuestion['kind']]: number } = {
  EstimateRequest: 30_000,
  UnschedulableRequest: 600_000,
};
const defaultTimeoutMs = 1_000;
/** A question whose time was over for so long before that was noticed says more of this process than of the estimator. */
const heldUpMs = 1_000;
const connectionsMax = 16;
/** Estimators asked at once for one decision. */
const concurrentMax = 64;

/**
 * Asks cells' estimators how many replicas really fit, each with its own timeout. One that fails or is slow costs its own cell
 * the better answer, for half a minute, and no other cell anything (PLACEMENT.md 3, Blast radius).
 */
export class Estimators {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onFailure: ((cell: string, error: unknown) => void) | undefined;
  readonly #answers = new LRUCache<string, { readonly replicas: number; readonly untilMs: number }>({
    max: answersMax,
  });
  /** By cell, how often what it said before was given up. */
  readonly #renewals = new Map<string, number>();
  /** By cell, then by question. */
  readonly #restUntilMs = new Map<string, Map<string, number>>();
  readonly #agents = new Map<string, { readonly caBundle: string; readonly agent: Agent }>();

  /** `onFailure`: an estimator could not be asked. */
  constructor(clock: Clock, logger: Logger, onFailure?: (cell: string, error: unknown) => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#onFailure = onFailure;
  }

  /** Cell → replicas that fit, or that have no node, of those cells whose estimator answers. Takes no longer than the slowest one may. */
  async ask(
    cells: readonly CellInfo[],
    question: EstimatorQuestion,
    signal: AbortSignal,
  ): Promise<Map<string, number>> {
    const body = JSON.stringify(question);
    const estimates = new Map<string, number>();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < cells.length) {
        const cell = cells[next++] as CellInfo;
        const replicas = await this.#askOne(cell, question.kind, body, signal);
        if (replicas !== undefined) estimates.set(cell.name, replicas);
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrentMax, cells.length) }, worker));
    return estimates;
  }

  /** Something in the cell is otherwise than it was: what its estimator said before holds no longer. */
  renew(cell: string): void {
    this.#renewals.set(cell, (this.#renewals.get(cell) ?? 0) + 1);
  }

  /** The cell is gone, or its estimator is another. */
  async forget(cell: string): Promise<void> {
    this.#renewals.delete(cell);
    this.#restUntilMs.delete(cell);
    const agent = this.#agents.get(cell);
    this.#agents.delete(cell);
    await agent?.agent.close();
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#agents.keys(), (cell) => this.forget(cell)));
  }

  async #askOne(
    cell: CellInfo,
    kind: EstimatorQuestion['kind'],
    body: string,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { estimator, name } = cell;
    const nowMs = this.#clock.now();
    if (estimator === undefined || (this.#restUntilMs.get(name)?.get(kind) ?? 0) > nowMs) return undefined;
    const key = `${name}\n${this.#renewals.get(name) ?? 0}\n${estimator.url}\n${body}`;
    const known = this.#answers.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.replicas;
    try {
      const replicas = await this.#postTwice(cell, estimator, answerFields[kind], body, signal);
      this.#restUntilMs.get(name)?.delete(kind);
      this.#answers.set(key, { replicas, untilMs: this.#clock.now() + answerMs });
      return replicas;
    } catch (error) {
      if (signal.aborted) throw error;
      const rests = this.#restUntilMs.get(name) ?? new Map<string, number>();
      this.#restUntilMs.set(name, rests.set(kind, this.#clock.now() + restMs[kind]));
      this.#onFailure?.(name, error);
      this.#logger.warn(
        { err: error, cell: name },
        'the estimator of a cell failed; its status counts instead',
      );
      return undefined;
    }
  }

  /** A process that was held up for the whole time that the estimator had has not heard it: it is asked once more. */
  async #postTwice(
    cell: CellInfo,
    estimator: NonNullable<CellInfo['estimator']>,
    field: string,
    body: string,
    signal: AbortSignal,
  ): Promise<number> {
    const { timeoutMs = defaultTimeoutMs } = estimator;
    const startedMs = this.#clock.monotonic();
    try {
      return await this.#post(cell, estimator, field, body, signal);
    } catch (error) {
      const isHeldUp = this.#clock.monotonic() - startedMs > timeoutMs + heldUpMs;
      if (signal.aborted || !isHeldUp) throw error;
      return this.#post(cell, estimator, field, body, signal);
    }
  }

  async #post(
    { name }: CellInfo,
    { url, caBundle = '', timeoutMs = defaultTimeoutMs }: NonNullable<CellInfo['estimator']>,
    field: string,
    body: string,
    signal: AbortSignal,
  ): Promise<number> {
    const answer = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body,
      dispatcher: this.#agentOf(name, caBundle),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await readBounded(answer.body);
    if (answer.statusCode !== 200) throw new Error(`it answers with status ${answer.statusCode}`);
    const told: unknown = JSON.parse(text);
    const replicas = isJsonObject(told as JsonObject) ? (told as JsonObject)[field] : undefined;
    if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
      throw new Error(`its answer has no count as ${field}`);
    return replicas;
  }

  #agentOf(cell: string, caBundle: string): Agent {
    const present = this.#agents.get(cell);
    if (present !== undefined && present.caBundle === caBundle) return present.agent;
    present?.agent.close().catch(() => {}); // what is under way ends by its own timeout
    const agent = new Agent({
      connections: connectionsMax,
      connect: caBundle === '' ? {} : { ca: caBundle },
    });
    this.#agents.set(cell, { caBundle, agent });
    return agent;
  }
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax) throw new Error(`its answer is longer than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
