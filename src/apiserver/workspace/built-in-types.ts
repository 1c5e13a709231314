import type { JsonObject } from '#apimachinery/json.ts';

const inRoot = (name: string) => ({ name, path: 'root' });

/** The WorkspaceTypes that root has from its first start; administrators may change them and add others. */
export const builtInWorkspaceTypes: { readonly [name: string]: JsonObject } = {
  root: {
    limitAllowedParents: { none: true },
    defaultChildWorkspaceType: inRoot('organization'),
  },
  organization: {
    limitAllowedParents: { types: [inRoot('root')] },
    defaultChildWorkspaceType: inRoot('universal'),
  },
  team: {
    extend: { with: [inRoot('universal')] },
    limitAllowedParents: { types: [inRoot('organization'), inRoot('team')] },
    defaultChildWorkspaceType: inRoot('universal'),
  },
  home: {
    extend: { with: [inRoot('universal')] },
    limitAllowedParents: { none: true },
    defaultChildWorkspaceType: inRoot('universal'),
  },
  universal: {
    defaultChildWorkspaceType: inRoot('universal'),
  },
  project: {
    limitAllowedChildren: { none: true },
  },
  cells: {
    limitAllowedParents: { types: [inRoot('root')] },
    limitAllowedChildren: { types: [inRoot('cell')] },
    defaultChildWorkspaceType: inRoot('cell'),
  },
  cell: {
    limitAllowedParents: { types: [inRoot('cells')] },
    limitAllowedChildren: { none: true },
  },
};

/** Types that every authenticated user may use, given the right to create workspaces in the parent. */
export const commonWorkspaceTypes = ['universal', 'team', 'project', 'organization'] as const;
