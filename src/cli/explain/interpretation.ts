import {
  interpreterCustomizationsGvr,
  type ResourceInterpreterCustomization,
} from '#api/policy/resource-interpreter-customization.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeClient } from '#client/client.ts';
import { Interpretation } from '#scheduler/interpreter/interpretation.ts';
import type { NamedResource } from '../resource-argument.ts';
import type { Unread } from './unread.ts';

/** How a kind is to be understood: the project's own before those above it, the nearest first, as the scheduler takes them. */
export async function readInterpretation(
  federationClient: KubeClient,
  path: string,
  { gvr: { group }, kind }: Pick<NamedResource, 'gvr' | 'kind'>,
  unread: Unread,
): Promise<Interpretation | undefined> {
  for (let workspace = path; workspace !== ''; workspace = parentOf(workspace)) {
    const found = await unread.or(
      `ResourceInterpreterCustomizations of ${workspace}`,
      async () => {
        const gvr = interpreterCustomizationsGvr;
        const { items } = await federationClient.list({ cluster: workspace, gvr });
        return (items as ResourceInterpreterCustomization[])
          .filter(({ spec: { target } }) => {
            return target.kind === kind && parseApiVersion(target.apiVersion)?.group === group;
          })
          .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))[0];
      },
      undefined,
    );
    if (found !== undefined) return new Interpretation(found);
  }
  return undefined;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(':')));
}
