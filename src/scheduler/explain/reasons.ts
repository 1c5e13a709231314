import type { RefusalCode } from '../algorithm/decision.ts';

export interface Reason {
  readonly code: RefusalCode;
  readonly text: string;
}

const reasonTexts: { readonly [code in RefusalCode]: string } = {
  ForbiddenByPolicy: 'an inherited policy does not let the object be there',
  AffinityNotMatched: "the policy's affinity (of several the one in use) leaves the cell out",
  WorkloadAffinity: 'no workload of its group (workloadAffinity.affinity) is in the cell',
  WorkloadAntiAffinity: 'a workload of its group (workloadAffinity.antiAffinity) is in the cell',
  ProjectNotAdmitted: 'the cell does not admit the project (spec.projects)',
  KindNotAllowed: 'the cell does not allow this kind (spec.allow)',
  APINotServed: 'the cell does not serve the kind, nor may projects bring it (spec.apis)',
  TaintNotTolerated: 'the cell has a taint that the policy does not tolerate',
  Evicted: 'failover took the object from the cell',
  OutsideHours: "it is outside the policy's activeHours in the cell",
  InMaintenance: 'the cell is in a maintenance window',
  CellNotReady: 'the cell is not ready',
  CellSuspended: 'the cell is suspended',
  CellDeleting: 'the cell is being deleted',
  NoWeight: "none of the policy's weights names the cell, or it has none itself (spec.weight)",
  TopologyUnknown:
    'the cell does not tell the region, zone, provider, pop, data center or label to spread by',
  MaxGroupsReached: 'the spread constraints let better cells in',
  NoCapacity: 'the cells have too little room for the replicas',
  NoReplicasLeft: 'all replicas are placed in other cells',
};

/** `what`: which one it is, of what is the reason. */
export function reasonOf(code: RefusalCode, what: string | undefined): Reason {
  const text = reasonTexts[code];
  return { code, text: what === undefined ? text : `${text}: ${what}` };
}

/** What a binding's refusals name may be of a later version. */
export function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(reasonTexts, code);
}
