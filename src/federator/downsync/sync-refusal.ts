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

const namespacePrefix = 'namespace/';

export function waitsForNamespace(name: string): string {
  return `${namespacePrefix}${name}`;
}

/** The other way round; undefined for what waits for something else. */
export function namespaceOf(waitsFor: string): string | undefined {
  return waitsFor.startsWith(namespacePrefix) ? waitsFor.slice(namespacePrefix.length) : undefined;
}
