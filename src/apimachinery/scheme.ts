import type { ResourceDefinition, ResourceVersion } from './resource-definition.ts';

/** One resource at one served version. */
export interface ServedResource {
  readonly definition: ResourceDefinition;
  readonly version: ResourceVersion;
}

/**
 * What a workspace serves. Immutable: a change of CRDs or bindings makes a new Scheme, so that discovery, OpenAPI and
 * handlers can cache by identity. Workspaces of one type without CRDs of their own share one object.
 */
export interface Scheme {
  /** Changes whenever content does; equal for equal content. */
  readonly hash: string;
  /** All definitions, ordered by group then resource. */
  readonly definitions: readonly ResourceDefinition[];
  lookupResource(group: string, version: string, resource: string): ServedResource | undefined;
  lookupKind(group: string, version: string, kind: string): ServedResource | undefined;
  /** Any version: the definition that stores this group/resource. */
  definitionOf(group: string, resource: string): ResourceDefinition | undefined;
  hasGroupVersion(group: string, version: string): boolean;
}
