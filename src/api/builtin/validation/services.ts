import { isIP, isIPv4, isIPv6 } from 'node:net';
import { duplicate, forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { isExternallyReachable } from '../strategies/prepare.ts';
import {
  checkChoice,
  checkCidr,
  checkDnsLabel,
  checkDnsSubdomain,
  checkEndpointIp,
  checkIp,
  checkLabels,
  checkName,
  checkOptionalChoice,
  checkPort,
  checkPortNumber,
  type Errors,
  keyPath,
  protocols,
} from './common.ts';
import { specOf } from './rule.ts';

/**
 * Services (source: core/validation validateService). What an allocator gives after this — cluster addresses, node
 * ports, IP families — is checked where the user gave it; that it is there at last is the allocator's promise.
 */
export function checkService(errors: Errors, service: KubeObject, old: KubeObject | undefined): void {
  const spec = specOf(service);
  const type = textAt(spec, 'type');
  const addresses = clusterAddresses(spec);
  if (type !== 'ExternalName') {
    // Addresses come first: while they are wrong nothing else is told (registry/core/service/storage initIPFamilyFields).
    const count = errors.length;
    checkAddresses(errors, spec, addresses);
    if (errors.length > count) return;
  }
  // On an update looked at once more, before all else (ValidateServiceUpdate).
  if (old !== undefined) checkBalancerClass(errors, spec, type);
  const isHeadless = addresses.length === 1 && addresses[0] === 'None';
  const ports = objectsAt(spec, 'ports');
  if (ports.length === 0 && !isHeadless && type !== 'ExternalName') errors.push(required('spec.ports'));
  checkType(errors, spec, type, isHeadless);
  checkPorts(errors, ports, type);
  checkLabels(errors, 'spec.selector', objectAt(spec, 'selector'));
  checkAffinity(errors, spec);
  textsAt(spec, 'externalIPs').forEach((address, i) => {
    const at = `spec.externalIPs[${i}]`;
    if (checkIp(errors, at, address)) checkEndpointIp(errors, at, address);
  });
  const known = old === undefined ? [] : textsAt(specOf(old), 'loadBalancerSourceRanges');
  checkBalancer(errors, service, spec, type, known);
  checkTraffic(errors, spec, type);
  if (old !== undefined) checkServiceChange(errors, spec, specOf(old));
}

/** `clusterIP` and `clusterIPs` say the same; whichever is given counts. */
function clusterAddresses(spec: JsonObject): readonly string[] {
  const list = textsAt(spec, 'clusterIPs');
  const one = textAt(spec, 'clusterIP');
  return list.length > 0 ? list : one === '' ? [] : [one];
}

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

function checkType(errors: Errors, spec: JsonObject, type: string, isHeadless: boolean): void {
  checkChoice(errors, 'spec.type', type, serviceTypes);
  if (isHeadless && (type === 'LoadBalancer' || type === 'NodePort')) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`));
  }
  if (type !== 'ExternalName') return;
  for (const field of ['clusterIPs', 'ipFamilies']) {
    if (textsAt(spec, field).length > 0) {
      errors.push(forbiddenField(`spec.${field}`, 'may not be set for ExternalName services'));
    }
  }
  if (valueAt(spec, 'ipFamilyPolicy') !== undefined) {
    errors.push(forbiddenField('spec.ipFamilyPolicy', 'may not be set for ExternalName services'));
  }
  const name = textAt(spec, 'externalName').replace(/\.$/, '');
  if (name === '') errors.push(required('spec.externalName'));
  else checkDnsSubdomain(errors, 'spec.externalName', name);
}

function checkPorts(errors: Errors, ports: readonly JsonObject[], type: string): void {
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, i) => {
    const at = `spec.ports[${i}]`;
    const name = textAt(port, 'name');
    if (name === '') {
      if (ports.length > 1) errors.push(required(`${at}.name`));
    } else {
      checkDnsLabel(errors, `${at}.name`, name);
      if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    const number = numberAt(port, 'port') ?? 0;
    const protocol = textAt(port, 'protocol');
    checkPortNumber(errors, `${at}.port`, number);
    checkChoice(errors, `${at}.protocol`, protocol, protocols);
    checkPort(errors, `${at}.targetPort`, valueAt(port, 'targetPort'));
    const appProtocol = valueAt(port, 'appProtocol');
    if (typeof appProtocol === 'string') checkName(errors, `${at}.appProtocol`, appProtocol, labelKey);
    const nodePort = numberAt(port, 'nodePort') ?? 0;
    if (nodePort !== 0) {
      if (type === 'ClusterIP') {
        errors.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
      }
      if (nodePorts.has(`${protocol}/${nodePort}`)) errors.push(duplicate(`${at}.nodePort`, nodePort));
      nodePorts.add(`${protocol}/${nodePort}`);
    }
    if (numbers.has(`${protocol}/${number}`)) errors.push(duplicate(at, { port: number, protocol }));
    numbers.add(`${protocol}/${number}`);
  });
}

const affinitySecondsMax = 86_400;

function checkAffinity(errors: Errors, spec: JsonObject): void {
  const affinity = textAt(spec, 'sessionAffinity');
  checkChoice(errors, 'spec.sessionAffinity', affinity, ['ClientIP', 'None']);
  const config = objectAt(spec, 'sessionAffinityConfig');
  if (affinity === 'ClientIP') {
    const at = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    const timeout = numberAt(config, 'clientIP', 'timeoutSeconds');
    if (timeout === undefined) errors.push(required(at, 'when session affinity type is ClientIP'));
    else if (timeout <= 0 || timeout > affinitySecondsMax) {
      errors.push(invalid(at, timeout, `must be greater than 0 and less than ${affinitySecondsMax}`));
    }
  } else if (affinity === 'None' && config !== undefined) {
    errors.push(
      forbiddenField('spec.sessionAffinityConfig', 'must not be set when session affinity is None'),
    );
  }
}

const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

/** core ValidateServiceClusterIPsRelatedFields. */
function checkAddresses(errors: Errors, spec: JsonObject, addresses: readonly string[]): void {
  const at = 'spec.clusterIPs';
  const list = textsAt(spec, 'clusterIPs');
  const one = textAt(spec, 'clusterIP');
  if (one !== '' && list.length > 0 && list[0] !== one) {
    errors.push(invalid(at, list, 'first value must match `clusterIP`'));
  }
  if (one === '' && list.length > 0) {
    errors.push(invalid(at, list, 'must be empty when `clusterIP` is not specified'));
  }
  const families = textsAt(spec, 'ipFamilies');
  families.forEach((family, i) => {
    if (family !== 'IPv4' && family !== 'IPv6') {
      errors.push(notSupported(`spec.ipFamilies[${i}]`, family, ['IPv4', 'IPv6']));
    }
    if (families.indexOf(family) < i) errors.push(duplicate(`spec.ipFamilies[${i}]`, family));
  });
  checkOptionalChoice(errors, 'spec.ipFamilyPolicy', valueAt(spec, 'ipFamilyPolicy'), familyPolicies);
  let valid = true;
  addresses.forEach((address, i) => {
    if (i === 0 && address === 'None') {
      if (addresses.length > 1) {
        valid = false;
        errors.push(invalid(at, addresses, "'None' must be the first and only value"));
      }
    } else if (!checkIp(errors, `${at}[${i}]`, address)) valid = false;
  });
  if (addresses.length > 2) errors.push(invalid(at, addresses, 'may only hold up to 2 values'));
  if (!valid || addresses[0] === 'None') return;
  if (addresses.length === 2 && isIPv4(addresses[0]!) === isIPv4(addresses[1]!)) {
    errors.push(invalid(at, addresses, 'may specify no more than one IP for each IP family'));
  }
  addresses.forEach((address, i) => {
    const family = families[i];
    if (family === 'IPv4' && isIPv6(address)) {
      errors.push(
        invalid(`${at}[${i}]`, address, `expected an IPv4 value as indicated by \`ipFamilies[${i}]\``),
      );
    } else if (family === 'IPv6' && isIPv4(address)) {
      errors.push(
        invalid(`${at}[${i}]`, address, `expected an IPv6 value as indicated by \`ipFamilies[${i}]\``),
      );
    }
  });
}

const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

function checkBalancer(
  errors: Errors,
  service: KubeObject,
  spec: JsonObject,
  type: string,
  known: readonly string[],
): void {
  const only = "may only be used when `type` is 'LoadBalancer'";
  const ranges = textsAt(spec, 'loadBalancerSourceRanges');
  const annotated = service.metadata.annotations?.[sourceRangesAnnotation];
  if (ranges.length > 0) {
    const at = 'spec.LoadBalancerSourceRanges';
    if (type !== 'LoadBalancer') errors.push(forbiddenField(at, only));
    ranges.forEach((range, i) => {
      checkCidr(errors, `${at}[${i}]`, range.trim(), known);
    });
  } else if (annotated !== undefined) {
    const at = keyPath('metadata.annotations', sourceRangesAnnotation);
    if (type !== 'LoadBalancer') errors.push(forbiddenField(at, only));
    if (annotated.trim() !== '') {
      for (const range of annotated.trim().split(',')) checkCidr(errors, at, range.trim());
    }
  }
  if (valueAt(spec, 'allocateLoadBalancerNodePorts') !== undefined && type !== 'LoadBalancer') {
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', only));
  }
  checkBalancerClass(errors, spec, type);
}

function checkBalancerClass(errors: Errors, spec: JsonObject, type: string): void {
  const only = "may only be used when `type` is 'LoadBalancer'";
  if (valueAt(spec, 'loadBalancerClass') === undefined) return;
  if (type !== 'LoadBalancer') errors.push(forbiddenField('spec.loadBalancerClass', only));
  else checkName(errors, 'spec.loadBalancerClass', textAt(spec, 'loadBalancerClass'), labelKey);
}

function checkTraffic(errors: Errors, spec: JsonObject, type: string): void {
  const external = textAt(spec, 'externalTrafficPolicy');
  const at = 'spec.externalTrafficPolicy';
  if (isExternallyReachable(spec)) checkChoice(errors, at, external, ['Cluster', 'Local']);
  else if (external !== '') {
    errors.push(invalid(at, external, 'may only be set for externally-accessible services'));
  }
  const healthPort = numberAt(spec, 'healthCheckNodePort') ?? 0;
  if (healthPort !== 0) {
    if (type === 'LoadBalancer' && external === 'Local') {
      checkPortNumber(errors, 'spec.healthCheckNodePort', healthPort);
    } else {
      const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
      errors.push(invalid('spec.healthCheckNodePort', healthPort, why));
    }
  }
  const internal = valueAt(spec, 'internalTrafficPolicy');
  if (internal === undefined && type !== 'ExternalName' && serviceTypes.includes(type)) {
    errors.push(required('spec.internalTrafficPolicy'));
  }
  checkOptionalChoice(errors, 'spec.internalTrafficPolicy', internal, ['Cluster', 'Local']);
  checkOptionalChoice(errors, 'spec.trafficDistribution', valueAt(spec, 'trafficDistribution'), [
    'PreferClose',
    'PreferSameZone',
    'PreferSameNode',
  ]);
}

/** What a Service keeps once it has it (core ValidateServiceUpdate). */
function checkServiceChange(errors: Errors, spec: JsonObject, before: JsonObject): void {
  const type = textAt(spec, 'type');
  const oldType = textAt(before, 'type');
  if (type !== 'ExternalName' && oldType !== 'ExternalName') {
    const now = clusterAddresses(spec);
    const then = clusterAddresses(before);
    if (now.length === 0 && then.length > 0) {
      errors.push(invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset'));
    }
    const shared = Math.min(now.length, then.length);
    for (let i = 0; i < shared; i++) {
      if (now[i] === then[i]) continue;
      errors.push(invalid(`spec.clusterIPs[${i}]`, now, 'may not change once set'));
      if (now.length !== then.length) break;
    }
    if (now.length === 1 && then.length > 1 && textAt(spec, 'ipFamilyPolicy') !== 'SingleStack') {
      const why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
      errors.push(invalid('spec.ipFamilyPolicy', valueAt(spec, 'ipFamilyPolicy') ?? null, why));
    }
    const family = textsAt(spec, 'ipFamilies')[0];
    const oldFamily = textsAt(before, 'ipFamilies')[0];
    const headless = now[0] === 'None' || then[0] === 'None';
    if (!headless && family !== undefined && oldFamily !== undefined && family !== oldFamily) {
      const families = textsAt(spec, 'ipFamilies');
      errors.push(invalid('spec.ipFamilies[0]', families, 'may not change once set'));
    }
  }
  const bothBalanced = type === 'LoadBalancer' && oldType === 'LoadBalancer';
  if (bothBalanced && !equalJson(spec['loadBalancerClass'], before['loadBalancerClass'])) {
    const given = valueAt(spec, 'loadBalancerClass') ?? null;
    errors.push(invalid('spec.loadBalancerClass', given, 'may not change once set'));
  }
  const health = numberAt(spec, 'healthCheckNodePort');
  const oldHealth = numberAt(before, 'healthCheckNodePort');
  const needsHealth = (one: JsonObject) =>
    textAt(one, 'type') === 'LoadBalancer' && textAt(one, 'externalTrafficPolicy') === 'Local';
  if (needsHealth(spec) && needsHealth(before) && health !== oldHealth) {
    errors.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'));
  }
}

/** core ValidateLoadBalancerStatus. */
export function checkServiceStatus(errors: Errors, service: KubeObject): void {
  const ingress = objectsAt(service, 'status', 'loadBalancer', 'ingress');
  const path = 'status.loadBalancer.ingress';
  if (ingress.length > 0 && textAt(service, 'spec', 'type') !== 'LoadBalancer') {
    errors.push(forbiddenField(path, "may only be used when `spec.type` is 'LoadBalancer'"));
    return;
  }
  ingress.forEach((one, i) => {
    const at = `${path}[${i}]`;
    const ip = textAt(one, 'ip');
    if (ip !== '') checkIp(errors, `${at}.ip`, ip);
    const mode = valueAt(one, 'ipMode');
    if (mode !== undefined && ip === '') {
      errors.push(forbiddenField(`${at}.ipMode`, 'may not be specified when `ip` is not set'));
    } else checkOptionalChoice(errors, `${at}.ipMode`, mode, ['Proxy', 'VIP']);
    checkBalancerHost(errors, `${at}.hostname`, textAt(one, 'hostname'));
  });
}

/** A load balancer's name: no address. */
export function checkBalancerHost(errors: Errors, field: string, hostname: string): void {
  if (hostname === '') return;
  checkDnsSubdomain(errors, field, hostname);
  if (isIP(hostname) !== 0) {
    errors.push(invalid(field, hostname, 'must be a DNS name, not an IP address'));
  }
}
