export const cellNames = ['cell-a', 'cell-b', 'cell-c'] as const;
export const federatorNames = ['federator-a', 'federator-b'] as const;
export const projectNames = ['acme', 'globex'] as const;
/** The projects' workspaces. */
export const projectPaths: readonly string[] = projectNames.map((name) => `root:${name}`);
export const looseNamespaces = ['one', 'two'] as const;
/** Of these, the one whose policies may have more to say than where objects go. */
export const tendedNamespace = 'two';
/** What stays where it is all along: nothing of it may ever go at an edge. */
export const pinnedNamespace = 'pinned';
export const pinnedPrefix = 'pinned-';
/** Where everything is to be in the end. */
export const finally2to1to1 = { 'cell-a': 2, 'cell-b': 1, 'cell-c': 1 };
