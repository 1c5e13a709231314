import { fork } from 'node:child_process';
import path from 'node:path';
import type { ServerConnection } from '#client/remote/connection.ts';
import { type PacedOrder, type PacedResult, type PacedRun, type PacedTarget, turnMark } from './paced-job.ts';
import { indexMark } from './raw-job.ts';

/** A process that sends CREATEs at a steady rate; its requests cost it little beside what they cost the server. */
export interface PacedLoad {
  readonly pid: number;
  /** To be awaited before each run. */
  connect(): Promise<void>;
  /** One run at a time. Rejects when a request fails or a connection breaks. */
  run(run: PacedRun): Promise<PacedResult>;
  end(): void;
}

interface Answer {
  readonly result?: PacedResult;
  readonly error?: string;
}

/** `path` and `body` hold the marks; what is in `turns` is taken in turn. */
export async function startPacedLoad(
  connection: ServerConnection,
  options: {
    readonly path: string;
    readonly body: string;
    readonly turns: readonly string[];
    readonly connections: number;
  },
): Promise<PacedLoad> {
  const url = new URL(connection.server);
  for (const turn of options.turns) {
    if (turn.length !== turnMark.length) throw new RangeError(`${turn} is not as long as its mark`);
  }
  const head = [
    `POST ${options.path} HTTP/1.1`,
    `host: ${url.host}`,
    'accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(options.body)}`,
  ];
  const target: PacedTarget = {
    host: url.hostname,
    port: Number(url.port),
    caPem: connection.caPem,
    certificatePem: connection.certificatePem,
    keyPem: connection.keyPem,
    connections: options.connections,
    template: `${head.join('\r\n')}\r\n\r\n${options.body}`,
    turns: options.turns,
  };
  const child = fork(path.resolve('test/bench/paced-client.ts'), [], { execArgv: ['--import', 'tsx'] });
  const ask = (order: PacedOrder) =>
    new Promise<Answer>((resolve, reject) => {
      const ended = () => reject(new Error('the load generator ended'));
      child.once('exit', ended);
      child.once('message', (answer: Answer) => {
        child.off('exit', ended);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      child.send(order);
    });
  child.send({ target } satisfies PacedOrder);
  return {
    pid: child.pid ?? 0,
    async connect() {
      await ask({ connect: true });
    },
    async run(run) {
      const { result } = await ask({ run });
      if (result === undefined) throw new TypeError('the load generator gave no result');
      if (result.failed > 0) throw new Error(`${result.failed} creates failed; the first: ${result.failure}`);
      return result;
    },
    end() {
      if (child.connected) child.disconnect();
    },
  };
}

/** An object as it is sent: its name ends in the request's number. */
export const pacedName = `object-${indexMark}`;

/** The name of the object of this number. */
export function pacedNameOf(index: number): string {
  return `object-${String(index).padStart(indexMark.length, '0')}`;
}
