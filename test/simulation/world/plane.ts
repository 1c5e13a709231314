import type { KubeClient } from '#client/client.ts';
import type { KeyValue } from '#storage/storage.ts';
import type { SimulatedServer } from './server.ts';
import type { StoreObserver } from './store.ts';

/** A control plane: one store, and the server on it, or several. */
export interface Plane {
  readonly name: string;
  readonly incarnationId: string;
  readonly servers: readonly SimulatedServer[];
  /** The servers' own user, past the network. Throws while none is up. */
  readonly admin: KubeClient;
  /** All of them. */
  start(): Promise<void>;
  kill(): void;
  backUp(): Promise<readonly KeyValue[]>;
  /** Kills them, and puts the store back to a backup; to be started again. */
  restore(backup: readonly KeyValue[]): Promise<void>;
  /** From now on, past the network and all servers. */
  observe(observer: StoreObserver): Promise<void>;
}
