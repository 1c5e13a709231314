import { messagePackages } from './catalogue/messages.ts';
import type { TypeExpression } from './catalogue-types.ts';

/**
 * One protobuf field: its JSON name ('' when the message's fields stand in the parent JSON object), its type (as
 * TypeExpression; `{}X` is a map with text keys), and 1 when Go leaves it out of JSON when it is zero, 2 when it is a
 * pointer in Go, so that only it may be absent on the wire.
 */
export type CatalogueField =
  | readonly [jsonName: string, type: TypeExpression]
  | readonly [jsonName: string, type: TypeExpression, mark: 1 | 2];

/** Field number → field. */
export type CatalogueMessage = { readonly [number: string]: CatalogueField };

type MessagePackage = { readonly [name: string]: CatalogueMessage };

const parsedPackages = new Map<string, MessagePackage>();

/** The message at `api.core.v1.Pod`, or undefined when there is none. Packages are parsed when first asked for. */
export function catalogueMessage(path: string): CatalogueMessage | undefined {
  const dot = path.lastIndexOf('.');
  const pkg = path.slice(0, dot);
  let messages = parsedPackages.get(pkg);
  if (messages === undefined) {
    const text = Object.hasOwn(messagePackages, pkg) ? messagePackages[pkg] : undefined;
    if (text === undefined) return undefined;
    messages = JSON.parse(text) as MessagePackage;
    parsedPackages.set(pkg, messages);
  }
  const name = path.slice(dot + 1);
  return Object.hasOwn(messages, name) ? messages[name] : undefined;
}

/** Groups whose Go package is not named after the first label of the group. */
const packageOfGroup: { readonly [group: string]: string } = {
  '': 'api.core',
  'internal.apiserver.k8s.io': 'api.apiserverinternal',
  'apiextensions.k8s.io': 'apiextensions-apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'kube-aggregator.pkg.apis.apiregistration',
};

/** Kinds that Kubernetes registers in every group. */
const everywhere = new Set(['DeleteOptions', 'CreateOptions', 'UpdateOptions', 'PatchOptions', 'Status']);

/** The path of a kind's message (`apps`, `v1`, `Scale` → `api.apps.v1.Scale`); undefined when Kubernetes has no such kind. */
export function messageOfKind(group: string, version: string, kind: string): string | undefined {
  if (everywhere.has(kind)) return `apimachinery.pkg.apis.meta.v1.${kind}`;
  const builtin = group === '' || !group.includes('.') || group.endsWith('.k8s.io');
  if (!builtin || !/^[A-Za-z0-9]+$/.test(kind) || !/^v[a-z0-9]+$/.test(version)) return undefined;
  const pkg = Object.hasOwn(packageOfGroup, group) ? packageOfGroup[group]! : `api.${group.split('.')[0]}`;
  const path = `${pkg}.${version}.${kind}`;
  return catalogueMessage(path) === undefined ? undefined : path;
}
