import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { UsageError } from './run-command.ts';

export interface NamedResource {
  readonly gvr: GroupVersionResource;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly scalable: boolean;
  readonly name: string;
}

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/**
 * Finds what `deployment/web`, `deploy/web`, `deployments.apps/web` means in a workspace, as kubectl does: by plural,
 * singular, short name or kind, optionally followed by the group. Throws UsageError.
 */
export async function findResource(
  client: KubeClient,
  workspace: string,
  argument: string,
): Promise<NamedResource> {
  const slash = argument.indexOf('/');
  const type = argument.slice(0, slash).toLowerCase();
  const name = argument.slice(slash + 1);
  if (slash < 1 || name === '') {
    throw new UsageError(`${JSON.stringify(argument)} names no object; write it like deployment/web`);
  }
  for (const path of ['/api', '/apis']) {
    const answer = await client.raw({ cluster: workspace, method: 'GET', path, accept: aggregated });
    for (const { aliases, ...found } of resourcesOf(answer)) {
      const { group } = found.gvr;
      if (aliases.some((alias) => alias === type || (group !== '' && `${alias}.${group}` === type))) {
        return { ...found, name };
      }
    }
  }
  throw new UsageError(`workspace ${workspace} serves no resource ${JSON.stringify(type)}`);
}

interface ServedResource extends Omit<NamedResource, 'name'> {
  readonly aliases: readonly string[];
}

/** KUBERNETES.md D2. The first version of a group is the preferred one. */
function* resourcesOf(answer: JsonValue): Generator<ServedResource> {
  for (const group of list(answer, 'items')) {
    const groupName = isJsonObject(group) ? text(group['metadata'], 'name') : '';
    for (const version of list(group, 'versions')) {
      for (const resource of list(version, 'resources')) {
        const kind = isJsonObject(resource) ? text(resource['responseKind'], 'kind') : '';
        const plural = text(resource, 'resource');
        const shortNames = list(resource, 'shortNames').map(String);
        yield {
          gvr: { group: groupName, version: text(version, 'version'), resource: plural },
          kind,
          namespaced: text(resource, 'scope') === 'Namespaced',
          scalable: list(resource, 'subresources').some((one) => text(one, 'subresource') === 'scale'),
          aliases: [plural, text(resource, 'singularResource'), kind.toLowerCase(), ...shortNames],
        };
      }
    }
  }
}

function list(value: JsonValue | undefined, key: string): JsonValue[] {
  const items = isJsonObject(value) ? value[key] : undefined;
  return Array.isArray(items) ? items : [];
}

function text(value: JsonValue | undefined, key: string): string {
  const found = isJsonObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : '';
}
