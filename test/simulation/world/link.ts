import type { ApiError } from '#apimachinery/api-error.ts';

/** From a process to a server. */
export interface Link {
  /** Rises with every partition and heal. */
  epoch: number;
  isCut: boolean;
  /** Events are held back until then. */
  heldUntilMs: number;
  /** Until then what begins goes as bytes, and that share of it is damaged. */
  bytesUntilMs: number;
  byteFaultRate: number;
  /** Until then that share of the calls is answered with a lie. */
  lieUntilMs: number;
  lieRate: number;
  readonly streams: Set<(error: ApiError) => void>;
}

export function newLink(): Link {
  return {
    epoch: 0,
    isCut: false,
    heldUntilMs: 0,
    bytesUntilMs: 0,
    byteFaultRate: 0,
    lieUntilMs: 0,
    lieRate: 0,
    streams: new Set(),
  };
}

export function breakStreams(link: Link, error: ApiError): void {
  for (const end of [...link.streams]) end(error);
}
