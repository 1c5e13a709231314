import type { Cell } from '#api/federation/cell.ts';
import { copiesGvr } from '#api/federation/copy.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { sleep } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { demoProvider } from '../demo.ts';

/** Resources of which nothing is withdrawn while the cell is there. */
const staying: ReadonlySet<string> = new Set(['namespaces', 'customresourcedefinitions']);
const lookEveryMs = 1_000;
const namedMax = 10;

/** Who drains a cell is to know what it waits for. */
export function whenObjectsLeave({ spec }: Cell): string {
  const leaving = 'what has another place leaves when it is healthy there, after ten minutes in any case';
  return spec?.provider === demoProvider
    ? `${leaving} (no pods run at the edges of cellplane start: workloads take that long, unless you write their status)`
    : leaving;
}

/**
 * Waits until nothing but namespaces, and definitions, which belong to the cell, lies in a cell's workspace, telling how many
 * objects are left whenever that changes. Returns
 * what is left when the time is over, as `<resource> <namespace>/<name>` of the projects; empty: the cell is drained.
 */
export async function waitUntilDrained(
  federationClient: KubeClient,
  cell: string,
  options: { readonly timeoutMs: number; readonly clock: Clock; readonly tell: (text: string) => void },
): Promise<readonly string[]> {
  const { timeoutMs, clock, tell } = options;
  const endMs = clock.monotonic() + timeoutMs;
  let told = -1;
  for (;;) {
    const { items } = await federationClient.list({
      cluster: `${cellsWorkspacePath}:${cell}`,
      gvr: copiesGvr,
    });
    const left = items.filter((copy) => !staying.has(at(copy, copyAnnotations.originResource)));
    if (left.length !== told)
      tell(`cell ${cell}: ${left.length} ${left.length === 1 ? 'object' : 'objects'} left\n`);
    told = left.length;
    if (told === 0) return [];
    if (clock.monotonic() >= endMs) return left.slice(0, namedMax).map(nameOf);
    await sleep(clock, Math.min(lookEveryMs, Math.max(1, endMs - clock.monotonic())));
  }
}

function at({ metadata }: KubeObject, annotation: string): string {
  return metadata.annotations?.[annotation] ?? '';
}

function nameOf(copy: KubeObject): string {
  const namespace = at(copy, copyAnnotations.originNamespace);
  const name = at(copy, copyAnnotations.originName);
  return `${at(copy, copyAnnotations.originResource)} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
