import { invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { booleanAt, objectAt, textAt, valueAt } from '../read.ts';
import { checkChoice, checkNonNegatives, type Errors } from './common.ts';
import { cronScheduleError } from './cron-schedule.ts';
import { checkJobSpec } from './jobs.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** CronJobs: schedule, time zone, and the Job they make (source: Kubernetes' pkg/apis/batch/validation). */
export const cronJobRule: Rule = rule({ always: checkCronJob });

const zonePart = /^[A-Za-z._0-9+-]{1,14}$/;

/** A Job's name is the CronJob's, a dash and ten digits, and must fit 63 characters. */
const nameMax = 52;

function checkCronJob(errors: Errors, cronJob: KubeObject, old: KubeObject | undefined): void {
  checkCronJobSpec(errors, cronJob, old);
  const { name = '' } = cronJob.metadata;
  if (old === undefined && name.length > nameMax)
    errors.push(invalid('metadata.name', name, `must be no more than ${nameMax} characters`));
}

function checkCronJobSpec(errors: Errors, cronJob: KubeObject, old: KubeObject | undefined): void {
  const spec = specOf(cronJob);
  const schedule = textAt(spec, 'schedule');
  const zone = valueAt(spec, 'timeZone');
  if (schedule === '') errors.push(required('spec.schedule'));
  else {
    const error = cronScheduleError(schedule);
    if (error !== undefined) errors.push(invalid('spec.schedule', schedule, error));
    if (schedule.includes('TZ')) {
      const hadZone = old !== undefined && textAt(old, 'spec', 'schedule').includes('TZ');
      if (!hadZone) {
        const why = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
        errors.push(invalid('spec.schedule', schedule, why));
      } else if (zone !== undefined) {
        const why = 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
        errors.push(invalid('spec.schedule', schedule, why));
      }
    }
  }
  checkNonNegatives(errors, 'spec', spec, [
    'startingDeadlineSeconds',
    'successfulJobsHistoryLimit',
    'failedJobsHistoryLimit',
  ]);
  if (typeof zone === 'string' && zone !== valueAt(old, 'spec', 'timeZone')) checkTimeZone(errors, zone);
  checkChoice(errors, 'spec.concurrencyPolicy', valueAt(spec, 'concurrencyPolicy'), [
    'Allow',
    'Forbid',
    'Replace',
  ]);
  const template = objectAt(spec, 'jobTemplate', 'spec') ?? {};
  const path = 'spec.jobTemplate.spec';
  checkJobSpec(errors, path, template);
  if (template['selector'] !== undefined) {
    errors.push(invalid(`${path}.selector`, template['selector'], '`selector` will be auto-generated'));
  }
  if (booleanAt(template, 'manualSelector') === true) {
    errors.push(notSupported(`${path}.manualSelector`, true, ['nil', 'false']));
  }
}

function checkTimeZone(errors: Errors, zone: string): void {
  const at = 'spec.timeZone';
  if (zone === '') {
    errors.push(invalid(at, zone, 'timeZone must be nil or non-empty string'));
    return;
  }
  const parts = zone.split('/');
  const malformed = parts.some(
    (part) => part === '.' || part === '..' || part.startsWith('-') || !zonePart.test(part),
  );
  if (malformed) errors.push(invalid(at, zone, `unknown time zone ${zone}`));
  else if (zone.toLowerCase() === 'local') {
    const why = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    errors.push(invalid(at, zone, why));
  } else if (!isTimeZone(zone)) errors.push(invalid(at, zone, `unknown time zone ${zone}`));
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
