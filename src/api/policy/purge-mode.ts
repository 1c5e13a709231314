import type { PurgeMode } from './placement.ts';

/** What a purge mode asks for, by whichever of its names (karmada pkg/apis/policy/v1alpha1 renamed two); none means Gracefully. */
export function purgeModeNamed(mode: PurgeMode | undefined): 'Directly' | 'Gracefully' | 'Never' {
  if (mode === 'Directly' || mode === 'Immediately') return 'Directly';
  return mode === 'Never' ? 'Never' : 'Gracefully';
}
