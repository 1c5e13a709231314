import { cronJobRule } from './cron-jobs.ts';
import { jobRule } from './jobs.ts';
import type { Rule } from './rule.ts';

/** batch (source: Kubernetes' pkg/apis/batch/validation). */
export const batchRules: { readonly [groupResource: string]: Rule } = {
  'jobs.batch': jobRule,
  'cronjobs.batch': cronJobRule,
};
