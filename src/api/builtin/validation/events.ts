import { invalid, required } from '#apimachinery/field-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { eventConversion } from '../conversion/event-conversion.ts';
import { numberAt, objectAt, textAt } from '../read.ts';
import { checkImmutable, checkName, type Errors } from './common.ts';
import { type Rule, rule } from './rule.ts';

const shortTextMax = 128;
const messageMax = 1024;
const immutableEventFields = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason', // once more, as ValidateEventUpdate has it
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
];

/** The new group is strict, the core one tolerates what clients have always written (ValidateEventCreate). */
export function eventRule(apiVersion: string): Rule {
  const isStrict = apiVersion !== 'v1';
  return rule({
    always: (errors, object, old) => {
      const event = eventConversion.toStorage?.(object) ?? object;
      checkEvent(errors, event, isStrict);
      if (!isStrict) return;
      const before = old === undefined ? undefined : (eventConversion.toStorage?.(old) ?? old);
      const seriesChanged = before === undefined || !equalJson(event['series'], before['series']);
      if (seriesChanged) checkSeries(errors, event);
      if (before === undefined) checkStrictEvent(errors, event);
      else {
        for (const field of immutableEventFields) {
          const told = field === 'reportingComponent' ? 'reportingController' : field;
          checkImmutable(errors, told, event[field] || undefined, before[field] || undefined);
        }
      }
    },
  });
}

function checkEvent(errors: Errors, event: KubeObject, isStrict: boolean): void {
  const namespace = event.metadata.namespace ?? '';
  const involved = textAt(event, 'involvedObject', 'namespace');
  const mismatch = invalid('involvedObject.namespace', involved, 'does not match event.namespace');
  if (textAt(event, 'eventTime') === '') {
    if (involved === '' ? namespace !== '' && namespace !== 'default' : namespace !== involved) {
      errors.push(mismatch);
    }
    return;
  }
  if (involved === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(mismatch);
  const controller = textAt(event, 'reportingComponent');
  const controllerField = isStrict ? 'reportingController' : 'reportingComponent';
  if (controller === '') errors.push(required(controllerField));
  checkName(errors, controllerField, controller, labelKey);
  for (const field of ['reportingInstance', 'action', 'reason']) {
    const value = textAt(event, field);
    if (value === '') errors.push(required(field));
    if (value.length > shortTextMax) {
      errors.push(invalid(field, '', `can have at most ${shortTextMax} characters`));
    }
  }
  if (Buffer.byteLength(textAt(event, 'message')) > messageMax) {
    errors.push(invalid('message', '', `can have at most ${messageMax} characters`));
  }
}

function checkSeries(errors: Errors, event: KubeObject): void {
  const series = objectAt(event, 'series');
  if (series === undefined) return;
  if ((numberAt(series, 'count') ?? 0) < 2) {
    errors.push(invalid('series.count', '', 'should be at least 2'));
  }
  if (textAt(series, 'lastObservedTime') === '') errors.push(required('series.lastObservedTime'));
}

function checkStrictEvent(errors: Errors, event: KubeObject): void {
  if (textAt(event, 'eventTime') === '') errors.push(required('eventTime'));
  const type = textAt(event, 'type');
  if (type !== 'Normal' && type !== 'Warning') {
    errors.push(invalid('type', '', `has invalid value: ${type}`));
  }
  for (const field of ['firstTimestamp', 'lastTimestamp']) {
    if (textAt(event, field) !== '') errors.push(invalid(field, '', 'needs to be unset'));
  }
  if ((numberAt(event, 'count') ?? 0) !== 0) errors.push(invalid('count', '', 'needs to be unset'));
  if (textAt(event, 'source', 'component') !== '' || textAt(event, 'source', 'host') !== '') {
    errors.push(invalid('source', '', 'needs to be unset'));
  }
}
