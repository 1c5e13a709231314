import type { Scene } from './scene.ts';
import { federationName } from './world/world.ts';

/** That server's store was put back: what was acknowledged since may be gone. */
export function putBack({ ledger, neighbour, meddlers, registers, founders }: Scene, server: string): void {
  if (server === federationName) {
    ledger.restored();
    registers?.putBack();
    founders?.putBack();
  } else if (server === neighbour?.server) neighbour.restored();
  else meddlers.get(server)?.putBack();
}

/** And it answers again. */
export async function restored({ world, births, meddlers }: Scene, server: string): Promise<void> {
  if (server === federationName) await births?.restored();
  else await meddlers.get(server)?.restored(world.lookAt(world.edge(server)));
}
