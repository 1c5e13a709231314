/** One query parameter of the Kubernetes API. */
export interface QueryParameter {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean';
  readonly description: string;
}

function parameter(name: string, type: QueryParameter['type'], description: string): QueryParameter {
  return { name, type, description };
}

export const pretty = parameter('pretty', 'string', 'If "true", the output is indented.');
export const force = parameter(
  'force',
  'boolean',
  'Take fields from other managers instead of failing. Only for apply patches.',
);

const dryRun = parameter('dryRun', 'string', '"All" runs every stage of the request but stores nothing.');
export const resourceVersion = parameter('resourceVersion', 'string', 'How fresh the answer must be.');

export const listParameters: readonly QueryParameter[] = [
  parameter('allowWatchBookmarks', 'boolean', 'Whether a watch may send BOOKMARK events.'),
  parameter('continue', 'string', 'The token of the page before, to get the next one.'),
  parameter('fieldSelector', 'string', 'Restricts the list by fields.'),
  parameter('labelSelector', 'string', 'Restricts the list by labels.'),
  parameter('limit', 'integer', 'The largest number of items of a page.'),
  resourceVersion,
  parameter('resourceVersionMatch', 'string', 'How resourceVersion is meant: "Exact" or "NotOlderThan".'),
  parameter('sendInitialEvents', 'boolean', 'Whether a watch begins with the objects that exist.'),
  parameter('timeoutSeconds', 'integer', 'How long a list or watch may last.'),
  parameter('watch', 'boolean', 'Whether to send changes as they come instead of a list.'),
];

export const writeParameters: readonly QueryParameter[] = [
  dryRun,
  parameter('fieldManager', 'string', 'The name of who makes the change, at most 128 printable characters.'),
  parameter(
    'fieldValidation',
    'string',
    'What to do with unknown and duplicate fields: "Ignore", "Warn" or "Strict".',
  ),
];

export const deleteParameters: readonly QueryParameter[] = [
  dryRun,
  parameter('gracePeriodSeconds', 'integer', 'Seconds until the object goes; 0 is at once.'),
  parameter('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  parameter(
    'propagationPolicy',
    'string',
    'What happens to dependents: "Orphan", "Background" or "Foreground".',
  ),
];
