import type { Placement } from '#api/policy/placement.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import { compilePlacement } from '../algorithm/compile.ts';
import { podSpecOf } from '../projection/replicas.ts';
import type { EstimateQuestion, UnschedulableQuestion } from './estimators.ts';

/** Whether free room says how many replicas a cell gets. */
export function dividesByRoom(placement: Placement | undefined): boolean {
  const { type } = compilePlacement(placement).division;
  return type === 'Dynamic' || type === 'Aggregated' || type === 'Planned';
}

/** The cells that the placement may use and that have an estimator to ask; none where room decides nothing. */
export function estimatedCells(cells: readonly CellInfo[], placement: Placement | undefined): CellInfo[] {
  if (!dividesByRoom(placement)) return [];
  const { groups } = compilePlacement(placement);
  return cells.filter((cell) => cell.estimator !== undefined && groups.some(({ selects }) => selects(cell)));
}

/** What estimators are asked about an object. */
export function questionOf(
  object: KubeObject,
  resource: { readonly group: string; readonly resource: string },
  request: ReplicaRequest,
): EstimateQuestion {
  const pod = podSpecOf(object, resource) ?? {};
  const question: EstimateQuestion = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'EstimateRequest',
    request: Object.fromEntries(request),
  };
  for (const field of ['nodeSelector', 'affinity', 'tolerations', 'priorityClassName'] as const)
    if (pod[field] !== undefined) Object.assign(question, { [field]: pod[field] });
  return question;
}

/** What estimators are asked about replicas of it that do not run. `copy`: where it lies in cells. */
export function unschedulableQuestion(
  { apiVersion, kind }: KubeObject,
  copy: { readonly namespace: string; readonly name: string },
  afterMs: number,
): UnschedulableQuestion {
  return {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'UnschedulableRequest',
    resource: { apiVersion, kind, namespace: copy.namespace, name: copy.name },
    afterSeconds: Math.floor(afterMs / 1_000),
  };
}
