import { type WorkspaceObject, workspacesGvr } from '#api/tenancy/workspace.ts';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';

const lookEveryMs = 100;

/**
 * Waits until a workspace can be used, as `kubectl ws create` does (github.com/kcp-dev/kcp/cli/pkg/workspace/plugin/create.go).
 * Returns why it cannot when the time is over; undefined: it is ready.
 */
export async function waitUntilReady(
  federationClient: KubeClient,
  { parent, name }: { readonly parent: string; readonly name: string },
  { timeoutMs, clock }: { readonly timeoutMs: number; readonly clock: Clock },
): Promise<string | undefined> {
  const endMs = clock.monotonic() + timeoutMs;
  for (;;) {
    const found = await federationClient.get({ cluster: parent, gvr: workspacesGvr, name });
    const { phase, initializers = [] } = (found as WorkspaceObject).status ?? {};
    if (phase === 'Ready') return undefined;
    if (clock.monotonic() >= endMs) {
      const awaited = initializers.length === 0 ? '' : `, waits for ${initializers.join(', ')}`;
      return `is ${phase ?? 'in no phase'}${awaited}`;
    }
    await sleep(clock, lookEveryMs);
  }
}
