import { ApiError, forbidden, notFound } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { hasDeletionTimestamp } from '../registry/stored-object.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const namespaceResource = { group: '', resource: 'namespaces' };
/** S1. */
const undeletable: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

export interface NamespaceLifecycleOptions {
  readonly storage: CachedStorage;
  /**
   * Called before a namespace is found missing: a workspace may owe it one that Kubernetes promises (S1), written at
   * the first touch. Resolves when whatever was to be written is; undefined when there is nothing to write.
   */
  readonly ensure?: ((workspace: Workspace, namespace: string) => Promise<void> | undefined) | undefined;
}

/** Kubernetes' NamespaceLifecycle: nothing is created in a namespace that is missing (404) or going (403) (S1, S2). */
export class NamespaceLifecycle implements AdmissionPlugin {
  readonly name = 'NamespaceLifecycle';
  readonly looksOnly = true;
  readonly #storage: CachedStorage;
  readonly #ensure: NamespaceLifecycleOptions['ensure'];

  constructor(options: NamespaceLifecycleOptions) {
    this.#storage = options.storage;
    this.#ensure = options.ensure;
  }

  handles({ operation, context }: AdmissionAttributes): boolean {
    const { definition } = context.served;
    if (operation === 'DELETE') return isNamespaces(definition) && context.subresource === '';
    // An access review asks about a namespace; it puts nothing there.
    return operation === 'CREATE' && context.namespace !== '' && definition.group !== 'authorization.k8s.io';
  }

  /** Changes nothing, but comes before validation: a missing namespace is told before a wrong field. */
  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const { context, operation } = attributes;
    const { workspace } = context;
    if (operation !== 'CREATE' || workspace === undefined || !context.served.definition.namespaced) {
      return undefined;
    }
    const entry = this.#namespace(workspace, context.namespace);
    if (entry !== undefined) return this.#admit(entry, attributes);
    return this.#admitMissing(workspace, attributes);
  }

  validate({ context, operation }: AdmissionAttributes): undefined {
    if (operation === 'DELETE' && undeletable.has(context.name)) {
      throw forbidden(context.served.definition, context.name, 'this namespace may not be deleted');
    }
    return undefined;
  }

  async #admitMissing(workspace: Workspace, attributes: AdmissionAttributes): Promise<void> {
    const { namespace } = attributes.context;
    await this.#storage.awaitFresh();
    await this.#ensure?.(workspace, namespace);
    const entry = this.#namespace(workspace, namespace);
    if (entry === undefined) throw notFound(namespaceResource, namespace);
    this.#admit(entry, attributes);
  }

  #admit(entry: CacheEntry, { context, object }: AdmissionAttributes): undefined {
    if (!hasDeletionTimestamp(entry)) return undefined;
    throw terminating(context.served.definition, nameOf(object), context.namespace);
  }

  #namespace(workspace: Workspace, namespace: string): CacheEntry | undefined {
    return this.#storage.peek(
      objectKey({
        group: '',
        resource: 'namespaces',
        clusterId: workspace.id,
        namespace: '',
        name: namespace,
      }),
    );
  }
}

function isNamespaces(definition: { readonly group: string; readonly resource: string }): boolean {
  return definition.group === '' && definition.resource === 'namespaces';
}

function nameOf(object: KubeObject | undefined): string {
  return object?.metadata.name ?? '';
}

function terminating(
  resource: { readonly group: string; readonly resource: string },
  name: string,
  namespace: string,
): ApiError {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbidden(resource, name, why);
  return new ApiError('Forbidden', error.message, {
    details: {
      ...error.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  });
}
