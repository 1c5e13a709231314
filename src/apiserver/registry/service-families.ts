import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { familyOf, type IpFamily, type IpRange } from './ip-range.ts';

export interface ServicePort extends JsonObject {
  name?: string;
  protocol?: string;
  port?: number;
  nodePort?: number;
}

export interface ServiceSpec extends JsonObject {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: string[];
  ipFamilyPolicy?: string;
  ports?: ServicePort[];
  selector?: JsonObject;
  externalTrafficPolicy?: string;
  healthCheckNodePort?: number;
  internalTrafficPolicy?: string;
  allocateLoadBalancerNodePorts?: boolean;
}

/** What a server is configured for: one range a family, the default family's first. */
export type ServiceRanges = ReadonlyMap<IpFamily, IpRange>;

const single = 'SingleStack';

/**
 * Settles `ipFamilyPolicy` and `ipFamilies`, in place: what the user gave, what the addresses tell, what the object had,
 * what the server is configured for, in this order (KEP-563; Kubernetes' registry/core/service/storage/alloc.go). A
 * service gains or loses its second family only where its policy says so.
 */
export function settleFamilies(
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  ranges: ServiceRanges,
  errors: FieldError[],
): void {
  if (spec.type === 'ExternalName' || keepsPreference(spec, old)) return;
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (isOpenHeadless(spec) ? 'RequireDualStack' : single);
  const policy = spec.ipFamilyPolicy;
  if (old !== undefined) releaseSecond(spec, old, errors);
  checkCounts(spec, errors);
  const families = [...(spec.ipFamilies ?? [])];
  inferFamilies(spec, families, ranges, errors);
  if (errors.length > 0) return;
  const first = [...ranges.keys()][0] ?? 'IPv4';
  if (isOpenHeadless(spec)) {
    // Its endpoints are the user's own, of whichever family.
    if (families.length === 0) families.push(first);
    if (families.length < 2 && policy !== single) families.push(otherThan(families[0]));
  } else {
    checkConfigured(spec, families, ranges, errors);
    if (errors.length > 0) return;
    if (families.length === 0) families.push(first);
    if (families.length === 1 && policy !== single && ranges.size === 2)
      families.push(otherThan(families[0]));
  }
  spec.ipFamilies = families;
}

/** Headless and without a selector. */
function isOpenHeadless(spec: ServiceSpec): boolean {
  if (spec.clusterIP !== 'None') return false;
  for (const _ in spec.selector ?? {}) return false;
  return true;
}

function otherThan(family: string | undefined): IpFamily {
  return family === 'IPv4' ? 'IPv6' : 'IPv4';
}

/** A service that prefers two families, and is not otherwise changed, stays as it is when the server's ranges have changed. */
function keepsPreference(spec: ServiceSpec, old: ServiceSpec | undefined): boolean {
  return (
    old !== undefined &&
    old.type === spec.type &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    old.ipFamilyPolicy === 'PreferDualStack' &&
    sameTexts(spec.clusterIPs, old.clusterIPs) &&
    sameTexts(spec.ipFamilies, old.ipFamilies)
  );
}

/** To a single stack: the second of each goes. Any other policy must keep what there is. */
function releaseSecond(spec: ServiceSpec, old: ServiceSpec, errors: FieldError[]): void {
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (ipFamilyPolicy === single) {
    if (clusterIPs.length > 1 && sameTexts(clusterIPs, old.clusterIPs))
      spec.clusterIPs = clusterIPs.slice(0, 1);
    if (ipFamilies.length > 1 && sameTexts(ipFamilies, old.ipFamilies))
      spec.ipFamilies = ipFamilies.slice(0, 1);
    return;
  }
  const isReduced = (now: readonly string[], before: readonly string[] | undefined): boolean =>
    now.length > 0 && now.length < (before?.length ?? 0);
  const refuse = (what: string): void => {
    const why = `must be 'SingleStack' to release the secondary ${what}`;
    errors.push(invalid('spec.ipFamilyPolicy', ipFamilyPolicy, why));
  };
  if (isReduced(clusterIPs, old.clusterIPs)) refuse('cluster IP');
  if (isReduced(ipFamilies, old.ipFamilies)) refuse('IP family');
}

function checkCounts(spec: ServiceSpec, errors: FieldError[]): void {
  if (spec.ipFamilyPolicy !== single) return;
  for (const [values, what] of [
    [spec.clusterIPs, 'cluster IPs'],
    [spec.ipFamilies, 'IP families'],
  ] as const) {
    if (values?.length !== 2) continue;
    const why = `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
    errors.push(invalid('spec.ipFamilyPolicy', single, why));
  }
}

/** Families that are not named are those of the addresses. */
function inferFamilies(
  spec: ServiceSpec,
  families: string[],
  ranges: ServiceRanges,
  errors: FieldError[],
): void {
  const addresses = spec.clusterIPs ?? [];
  if (addresses[0] === 'None') return;
  for (let i = families.length; i < addresses.length; i++) {
    const family = familyOf(addresses[i] as string);
    if (ranges.has(family)) families.push(family);
    else
      errors.push(invalid(`spec.clusterIPs[${i}]`, addresses, `${family} is not configured on this cluster`));
  }
}

function checkConfigured(
  spec: ServiceSpec,
  families: readonly string[],
  ranges: ServiceRanges,
  errors: FieldError[],
): void {
  if (spec.ipFamilyPolicy === 'RequireDualStack' && ranges.size < 2) {
    const why = 'this cluster is not configured for dual-stack services';
    errors.push(invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, why));
  }
  families.forEach((family, i) => {
    if (ranges.has(family as IpFamily)) return;
    errors.push(invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  });
}

export function sameTexts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  const count = a?.length ?? 0;
  if (count !== (b?.length ?? 0)) return false;
  for (let i = 0; i < count; i++) if (a?.[i] !== b?.[i]) return false;
  return true;
}
