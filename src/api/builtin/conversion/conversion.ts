import type { Conversion } from '#apimachinery/resource-definition.ts';
import { eventConversion } from './event-conversion.ts';
import { hpaConversion } from './hpa-conversion.ts';
import {
  resourceClaimConversion,
  resourceClaimTemplateConversion,
  resourceSliceConversion,
} from './resource-claim-conversion.ts';

const conversions: { readonly [versionedResource: string]: Conversion } = {
  'autoscaling/v1/horizontalpodautoscalers': hpaConversion,
  'events.k8s.io/v1/events': eventConversion,
  'resource.k8s.io/v1beta1/resourceclaims': resourceClaimConversion,
  'resource.k8s.io/v1beta1/resourceclaimtemplates': resourceClaimTemplateConversion,
  'resource.k8s.io/v1beta1/resourceslices': resourceSliceConversion,
};

const none: Conversion = {};

/** How objects of one version become the storage version and back; empty where only apiVersion differs. */
export function conversionOf(group: string, version: string, resource: string): Conversion {
  return conversions[`${group}/${version}/${resource}`] ?? none;
}
