/** Why one object is not brought to the edge although the edge is there: told on its copy, and in the project's binding. */
export class SyncRefusal extends Error {
  override readonly name = 'SyncRefusal';
  /** CamelCase. */
  readonly reason: string;
  /** What has to be at the edge first (WaitingKeys); absent: only time tells. */
  readonly waitsFor: string | undefined;

  constructor(reason: string, message: string, waitsFor?: string) {
    super(message);
    this.reason = reason;
    this.waitsFor = waitsFor;
  }
}

/** Waits for a kind to be served. */
export const waitsForKinds = 'kinds';

export function waitsForNamespace(name: string): string {
  return `namespace/${name}`;
}
