import { numberAt, textAt, valueAt } from '#api/builtin/read.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** A PriorityLevelConfiguration made ready to be asked (KUBERNETES.md O2). */
export interface PriorityLevel {
  readonly name: string;
  readonly uid: string;
  /** Never waits and is never refused. */
  readonly isExempt: boolean;
  /** Parts of the server's seats that are this level's own; the seats are divided in proportion to them. */
  readonly shares: number;
  /** Percent of its own seats that others may use while they are free. */
  readonly lendablePercent: number;
  /** How far above its own seats it may go, in percent of them; undefined: as far as others lend. */
  readonly borrowingLimitPercent: number | undefined;
  /** Undefined: what finds no seat is refused at once. */
  readonly queuing: Queuing | undefined;
}

export interface Queuing {
  readonly queues: number;
  /** Queues that one flow may use, dealt to it by a hash. */
  readonly handSize: number;
  /** Requests that one queue holds. */
  readonly queueLengthLimit: number;
}

const sharesDefault = 30;
const queuingDefault: Queuing = { queues: 64, handSize: 8, queueLengthLimit: 50 };
/** What the hash has bits for; validation refuses more. */
const handSizeMax = 15;

/** Reads a PriorityLevelConfiguration of any version (older ones call the shares `assuredConcurrencyShares`). */
export function readPriorityLevel(object: KubeObject): PriorityLevel {
  const isExempt = textAt(object, 'spec', 'type') === 'Exempt';
  const settings = valueAt(object, 'spec', isExempt ? 'exempt' : 'limited');
  const shares =
    numberAt(settings, 'nominalConcurrencyShares') ?? numberAt(settings, 'assuredConcurrencyShares');
  const queues = textAt(settings, 'limitResponse', 'type') === 'Queue';
  return {
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
    isExempt,
    shares: Math.max(0, shares ?? (isExempt ? 0 : sharesDefault)),
    lendablePercent: Math.min(100, Math.max(0, numberAt(settings, 'lendablePercent') ?? 0)),
    borrowingLimitPercent: numberAt(settings, 'borrowingLimitPercent'),
    queuing: queues && !isExempt ? queuingOf(object) : undefined,
  };
}

function queuingOf(object: KubeObject): Queuing {
  const given = valueAt(object, 'spec', 'limited', 'limitResponse', 'queuing');
  const figure = (name: keyof Queuing) => Math.max(1, numberAt(given, name) ?? queuingDefault[name]);
  const queues = figure('queues');
  return {
    queues,
    handSize: Math.min(figure('handSize'), queues, handSizeMax),
    queueLengthLimit: figure('queueLengthLimit'),
  };
}
