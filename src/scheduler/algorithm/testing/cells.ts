import type { CellInfo, CellSnapshot } from '../cell.ts';
import type { Decision, DecisionDetails, DecisionInput, Target, Template } from '../decision.ts';

/** A healthy cell without limits, with what a test changes. */
export function cell(name: string, changes: Partial<CellInfo> = {}): CellInfo {
  return {
    name,
    labels: {},
    provider: '',
    region: '',
    zones: [],
    pop: '',
    dataCenter: '',
    weight: 1,
    taints: [],
    ready: true,
    suspended: false,
    deleting: false,
    served: undefined,
    bringsGroup: () => false,
    allows: () => false,
    admitsProject: () => true,
    free: undefined,
    ...changes,
  };
}

/** Of a cell: room for so many pods. */
export const free = (pods: number): Partial<CellInfo> => ({ free: new Map([['pods', pods]]) });

export function snapshotOf(...cells: CellInfo[]): CellSnapshot {
  return { version: 1, cells: [...cells].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

export function template(changes: Partial<Template> = {}): Template {
  return {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
    resource: 'deployments',
    uid: '',
    replicas: 1,
    request: [],
    custom: false,
    privileged: false,
    ...changes,
  };
}

export function inputOf(snapshot: CellSnapshot, changes: Partial<DecisionInput> = {}): DecisionInput {
  return {
    template: template(),
    project: { id: 'p1', path: 'root:p1' },
    snapshot,
    previous: [],
    nowMs: 1_000_000,
    ...changes,
  };
}

/** `a:1 b:2`, or names alone for kinds without replicas. */
export function show(targets: readonly Target[]): string {
  return targets
    .map(({ name, replicas }) => (replicas === undefined ? name : `${name}:${replicas}`))
    .join(' ');
}

/** The inverse of `show`. */
export function targets(text: string): Target[] {
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', replicas] = part.split(':');
      return { name, replicas: replicas === undefined ? undefined : Number(replicas) };
    });
}

/** What two decisions can be compared by: without what works out details. */
export function outcomeOf({ considered, ...decision }: Decision): object {
  return { ...decision, passed: considered?.candidates.map(({ cell }) => cell.name) };
}

/** Of all cells that passed the filters. */
export function detailsOf({ considered }: Decision): DecisionDetails {
  return considered?.detailsOf(considered.candidates) ?? { scores: new Map(), available: new Map() };
}
