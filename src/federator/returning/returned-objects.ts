import {
  isCustomGroup,
  type ReturnKind,
  returnAnnotations,
  returnableKinds,
} from '#api/federation/return-contract.ts';
import {
  type ReturnedObject,
  returnedObjectName,
  returnedObjectsGvr,
  slimReturned,
} from '#api/federation/returned-object.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { deleteExactly } from '#client/delete-exactly.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { edgeFieldManager } from '../edge/edge-object.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import type { Birth } from './births.ts';
import { partsOf } from './return-keys.ts';
import type { ReturnedForm } from './returned-form.ts';

export interface ReturnedObjectsOptions {
  readonly federationClient: KubeClient;
  /** Path of the cell's workspace. */
  readonly workspace: string;
  /** Paces what is written. */
  readonly pace: TokenBucket;
  readonly clock: Clock;
  readonly logger: Logger;
  /** One has come or gone. */
  readonly onChange: (returned: ReturnedObject) => void;
}

/** The ReturnedObjects in one cell's workspace: what is decided by of each, kept by one watch; and what is written of them. */
export class ReturnedObjects {
  readonly #options: ReturnedObjectsOptions;
  readonly #informer: Informer;

  constructor(options: ReturnedObjectsOptions) {
    const { federationClient: client, workspace: cluster, clock, logger, onChange } = options;
    this.#options = options;
    this.#informer = new Informer({
      client,
      clock,
      logger,
      collection: { cluster, gvr: returnedObjectsGvr },
      indexers: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
      // Without the workspace's own annotation: all lie in one, and are found by namespace and name.
      transform: (object) => slimReturned(object as ReturnedObject, [returnAnnotations.edgeState]),
    });
    const tell = (object: KubeObject) => onChange(object as ReturnedObject);
    this.#informer.addHandler({ onAdd: tell, onDelete: tell });
  }

  start(): void {
    this.#informer.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#informer.stop();
  }

  get synced(): Promise<void> {
    return this.#informer.synced;
  }

  values(): Iterable<ReturnedObject> {
    return this.#informer.values() as Iterable<KubeObject> as Iterable<ReturnedObject>;
  }

  in(namespace: string): Iterable<ReturnedObject> {
    return this.#informer.byIndex('namespace', namespace) as Iterable<KubeObject> as Iterable<ReturnedObject>;
  }

  get(kind: ReturnKind, namespace: string, name: string): KubeObject | undefined {
    return this.#informer.get(`|${namespace}/${returnedObjectName(kind, name)}`);
  }

  byKey(key: string): KubeObject | undefined {
    const { kind, namespace, name } = partsOf(key);
    const [kindName = '', version = '', group = ''] = kind.split('/');
    const builtin = returnableKinds.find((one) => one.kind === kindName);
    const returned = group === '' ? builtin : { group, version, kind: kindName };
    return returned === undefined ? undefined : this.get(returned, namespace, name);
  }

  /** Writes what the edge's object is, unless it says so already. */
  async put(
    kind: ReturnKind,
    { metadata: { namespace = '', name = '' } }: Birth,
    { object, state }: ReturnedForm,
    signal: AbortSignal,
  ): Promise<void> {
    const present = this.get(kind, namespace, name);
    if (present?.metadata.annotations?.[returnAnnotations.edgeState] === state) return;
    this.#options.pace.spend(1);
    const ref = this.#refOf(namespace, returnedObjectName(kind, name));
    const annotations = { [returnAnnotations.edgeState]: state };
    const custom = isCustomGroup(kind.group) ? { apiVersion: formatApiVersion(kind) } : {};
    await this.#options.federationClient.apply(
      ref,
      {
        apiVersion: `${returnedObjectsGvr.group}/${returnedObjectsGvr.version}`,
        kind: 'ReturnedObject',
        metadata: { name: ref.name, namespace, annotations },
        spec: { ...custom, kind: kind.kind, name, object },
      },
      { fieldManager: edgeFieldManager, force: true, signal },
    );
  }

  async remove(
    { metadata: { namespace = '', name = '', uid } }: KubeObject,
    signal: AbortSignal,
  ): Promise<void> {
    await deleteExactly(this.#options.federationClient, this.#refOf(namespace, name), uid, signal);
  }

  #refOf(namespace: string, name: string): ObjectRef {
    return { cluster: this.#options.workspace, gvr: returnedObjectsGvr, namespace, name };
  }
}
