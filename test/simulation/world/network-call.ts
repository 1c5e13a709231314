import { ApiError } from '#apimachinery/api-error.ts';
import type { CallOptions, KubeClient } from '#client/client.ts';
import { refusalOf, unreachable } from './call-faults.ts';
import type { ClientLine } from './client-line.ts';
import { LyingClient } from './lying-client.ts';

/** Why what serves a call ends with it. */
const isOver = new Error('the call is over');
const requestTimeoutMs = 30_000;
const writeVerbs: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'apply', 'delete']);

/** Settles in time, and never once the process is dead. */
export function call<T, O extends CallOptions>(
  { line, closing }: { readonly line: ClientLine; readonly closing: AbortSignal },
  verb: string,
  options: O | undefined,
  perform: (target: KubeClient, options: O) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs = requestTimeoutMs } = options ?? {};
  const ending = new AbortController();
  // The server goes on with what it was sent, whether anybody waits or not.
  const sent = { ...options, signal: undefined, timeoutMs: undefined } as unknown as O;
  return new Promise<T>((resolve, reject) => {
    const endings: (() => void)[] = [];
    const end = (act: () => void) => {
      if (ending.signal.aborted) return;
      ending.abort(isOver); // an error of its own for each would cost more than the rest of the call
      for (const one of endings) one();
      void line.from.awake().then(act);
    };
    const giveUp = (reason: unknown) => end(() => reject(reason));
    for (const one of [signal, closing]) {
      if (one === undefined) continue;
      if (one.aborted) {
        giveUp(one.reason);
        return;
      }
      const onAbort = () => giveUp(one.reason);
      one.addEventListener('abort', onAbort, { once: true });
      endings.push(() => one.removeEventListener('abort', onAbort));
    }
    const timer = setTimeout(
      () => giveUp(new ApiError('Timeout', `${line.server.name} did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    endings.push(() => clearTimeout(timer));
    exchange(line, verb, perform, sent, ending.signal, endings).then(
      (value) => end(() => resolve(value)),
      (error: unknown) => giveUp(error),
    );
  });
}

async function exchange<T, O>(
  line: ClientLine,
  verb: string,
  perform: (target: KubeClient, options: O) => Promise<T>,
  options: O,
  signal: AbortSignal,
  endings: (() => void)[],
): Promise<T> {
  const { name } = line.server;
  await line.from.awake();
  line.traffic.count(line.from.name, name, verb);
  line.authenticate();
  const isWrite = writeVerbs.has(verb);
  if (isWrite) await line.from.atWrite('before');
  if (line.goesAsBytes) {
    const value = await perform(line.overBytes, { ...options, signal });
    if (isWrite) await line.from.atWrite('after');
    return value;
  }
  await line.latency();
  if (line.isCut) await never();
  const fault = line.traffic.drawFault();
  if (fault === 'hangs') {
    line.traffic.countFault(fault);
    await never();
  }
  const truth = line.direct;
  if (truth === undefined) throw unreachable('connection refused');
  const target = line.traffic.drawLie(line.link)
    ? new LyingClient(truth, line.random, (lie) => line.traffic.countFault(lie))
    : truth;
  const isIdle =
    (fault === 'Conflict' && (verb === 'get' || verb === 'list' || verb === 'create')) ||
    (fault === 'twice' && verb === 'create') ||
    (line.isLiteral && (fault === 'Conflict' || fault === 'twice'));
  if (fault !== undefined && !isIdle) {
    line.traffic.countFault(fault);
    const error = refusalOf(fault);
    if (error !== undefined) throw error;
  }
  const down = new Promise<never>((_, reject) => {
    endings.push(line.server.onDown(() => reject(unreachable('connection reset'))));
  });
  down.catch(() => {}); // told by the race
  line.compareStore();
  if (isWrite && line.restsOnReads) line.traffic.strayWrites.writes(line.from, verb, line.server);
  const asleep = line.server.awake();
  if (asleep !== undefined) await Promise.race([asleep, down]);
  const value = await Promise.race([perform(target, options), down]);
  if (isWrite) await line.from.atWrite('after');
  // A proxy that saw no answer has asked again; a creation is nothing that it may repeat.
  if (fault === 'twice' && !isIdle) await Promise.race([perform(target, options).catch(() => {}), down]);
  if (asleep !== undefined) await Promise.race([line.server.awake(), down]);
  if (fault === 'answer-lost') throw unreachable('connection reset');
  await line.latency();
  if (line.isCut) await never();
  return value;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
