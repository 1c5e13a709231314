/** Keys of the taints that `cellplane cell cordon`, `drain` and `uncordon` set on a Cell and take off. */
export const cellTaints = {
  /** NoSchedule. */
  cordon: 'federation.cellplane.io/unschedulable',
  /** NoExecute. */
  drain: 'federation.cellplane.io/drain',
} as const;
