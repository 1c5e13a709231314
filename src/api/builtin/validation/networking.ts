import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooMany,
} from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  labelKey,
  labelValue,
  pathSegmentName,
  portName,
  wildcardDns1123Subdomain,
} from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkChoice,
  checkCidr,
  checkDnsLabel,
  checkEndpointIp,
  checkImmutable,
  checkIp,
  checkLabels,
  checkName,
  checkOptionalChoice,
  checkPort,
  checkPortNumber,
  checkRequiredName,
  checkSelector,
  type Errors,
  protocols,
} from './common.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkBalancerHost } from './services.ts';

/** networking and discovery (source: Kubernetes' pkg/apis/{networking,discovery}/validation), and core Endpoints. */
export const networkingRules: { readonly [groupResource: string]: Rule } = {
  'ingresses.networking.k8s.io': rule({
    always: checkIngress,
    status: (errors, ingress) => {
      objectsAt(ingress, 'status', 'loadBalancer', 'ingress').forEach((one, i) => {
        const at = `status.loadBalancer.ingress[${i}]`;
        const ip = textAt(one, 'ip');
        if (ip !== '') checkIp(errors, `${at}.ip`, ip);
        checkBalancerHost(errors, `${at}.hostname`, textAt(one, 'hostname'));
      });
    },
  }),
  'ingressclasses.networking.k8s.io': rule({
    changeFirst: (errors, ingressClass, old) =>
      checkImmutable(
        errors,
        'spec.controller',
        specOf(ingressClass)['controller'],
        specOf(old)['controller'],
      ),
    always: checkIngressClass,
  }),
  'networkpolicies.networking.k8s.io': rule({ always: checkNetworkPolicy }),
  'ipaddresses.networking.k8s.io': rule({
    always: (errors, address) => {
      const parent = objectAt(address, 'spec', 'parentRef');
      if (parent === undefined) {
        errors.push(required('spec.parentRef'));
        return;
      }
      const group = textAt(parent, 'group');
      if (group !== '') checkName(errors, 'spec.parentRef.group', group, dns1123Subdomain);
      for (const field of ['resource', 'name']) {
        checkRequiredName(errors, `spec.parentRef.${field}`, textAt(parent, field), pathSegmentName);
      }
      const namespace = textAt(parent, 'namespace');
      if (namespace !== '') checkName(errors, 'spec.parentRef.namespace', namespace, pathSegmentName);
    },
    change: (errors, address, old) =>
      checkImmutable(errors, 'spec.parentRef', specOf(address)['parentRef'], specOf(old)['parentRef']),
  }),
  'servicecidrs.networking.k8s.io': rule({
    always: (errors, range, old) => {
      if (old === undefined) checkServiceRanges(errors, textsAt(range, 'spec', 'cidrs'));
    },
    change: (errors, range, old) => {
      const cidrs = textsAt(range, 'spec', 'cidrs');
      const before = textsAt(old, 'spec', 'cidrs');
      const grows = before.length === 1 && cidrs.length === 2;
      if (cidrs.length !== before.length && !grows) {
        errors.push(invalid('spec.cidrs', cidrs, 'field is immutable'));
        return;
      }
      before.forEach((cidr, i) => {
        checkImmutable(errors, `spec.cidrs[${i}]`, cidrs[i], cidr);
      });
      if (grows) checkServiceRanges(errors, cidrs);
    },
  }),
  'endpointslices.discovery.k8s.io': rule({
    always: checkEndpointSlice,
    change: (errors, slice, old) =>
      checkImmutable(errors, 'addressType', slice['addressType'], old['addressType']),
  }),
  endpoints: rule({ always: checkEndpoints }),
};

function checkIngress(errors: Errors, ingress: KubeObject, old: KubeObject | undefined): void {
  const spec = specOf(ingress);
  const rules = objectsAt(spec, 'rules');
  const backend = objectAt(spec, 'defaultBackend');
  if (rules.length === 0 && backend === undefined) {
    errors.push(invalid('spec', spec['rules'], 'either `defaultBackend` or `rules` must be specified'));
  }
  if (backend !== undefined) checkBackend(errors, 'spec.defaultBackend', backend);
  rules.forEach((one, i) => {
    checkIngressRule(errors, `spec.rules[${i}]`, one);
  });
  objectsAt(spec, 'tls').forEach((tls, i) => {
    textsAt(tls, 'hosts').forEach((host, j) => {
      checkHost(errors, `spec.tls[${i}].hosts[${j}]`, host);
    });
    const secret = textAt(tls, 'secretName');
    if (secret !== '') checkName(errors, `spec.tls[${i}].secretName`, secret, dns1123Subdomain);
  });
  const className = valueAt(spec, 'ingressClassName');
  if (typeof className === 'string') checkName(errors, 'spec.ingressClassName', className, dns1123Subdomain);
  const legacy = 'kubernetes.io/ingress.class';
  const annotated = ingress.metadata.annotations?.[legacy];
  const differs = annotated !== undefined && className !== undefined && annotated !== className;
  if (old === undefined && differs) {
    const why = 'must match `ingressClassName` when both are specified';
    errors.push(invalid(`annotations.${legacy}`, annotated, why));
  }
}

function checkHost(errors: Errors, at: string, host: string): void {
  checkName(errors, at, host, host.includes('*') ? wildcardDns1123Subdomain : dns1123Subdomain);
}

const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];

function checkIngressRule(errors: Errors, at: string, one: JsonObject): void {
  const host = textAt(one, 'host');
  if (host !== '') {
    if (isIP(host) !== 0) {
      errors.push(invalid(`${at}.host`, host, 'must be a DNS name, not an IP address'));
    }
    checkHost(errors, `${at}.host`, host);
  }
  const http = objectAt(one, 'http');
  if (http === undefined) return;
  const paths = objectsAt(http, 'paths');
  if (paths.length === 0) errors.push(required(`${at}.http.paths`));
  paths.forEach((path, i) => {
    checkPath(errors, `${at}.http.paths[${i}]`, path);
  });
}

function checkPath(errors: Errors, at: string, path: JsonObject): void {
  const type = valueAt(path, 'pathType');
  const text = textAt(path, 'path');
  if (type === undefined) {
    errors.push(required(`${at}.pathType`, 'pathType must be specified'));
    return;
  }
  const refuse = (why: string) => errors.push(invalid(`${at}.path`, text, why));
  if (type === 'Exact' || type === 'Prefix') {
    if (!text.startsWith('/')) refuse('must be an absolute path');
    for (const sequence of badSequences)
      if (text.includes(sequence)) refuse(`must not contain '${sequence}'`);
    for (const suffix of badSuffixes) if (text.endsWith(suffix)) refuse(`cannot end with '${suffix}'`);
  } else if (type === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) refuse('must be an absolute path');
  } else {
    const known = ['Exact', 'ImplementationSpecific', 'Prefix'];
    errors.push(notSupported(`${at}.pathType`, type, known));
  }
  checkBackend(errors, `${at}.backend`, objectAt(path, 'backend') ?? {});
}

function checkBackend(errors: Errors, at: string, backend: JsonObject): void {
  const resource = objectAt(backend, 'resource');
  const service = objectAt(backend, 'service');
  if (resource !== undefined && service !== undefined) {
    errors.push(invalid(at, '', 'cannot set both resource and service backends'));
  } else if (resource !== undefined) checkResourceBackend(errors, `${at}.resource`, resource);
  else if (service !== undefined) {
    const name = textAt(service, 'name');
    if (name === '') errors.push(required(`${at}.service.name`));
    else checkName(errors, `${at}.service.name`, name, dns1123Label);
    const byName = textAt(service, 'port', 'name');
    const byNumber = numberAt(service, 'port', 'number') ?? 0;
    if (byName !== '' && byNumber !== 0) {
      errors.push(invalid(at, '', 'cannot set both port name & port number'));
    } else if (byName !== '') {
      for (const message of portName(byName)) {
        errors.push(invalid(`${at}.service.port.name`, byName, message));
      }
    } else if (byNumber !== 0) checkPortNumber(errors, `${at}.service.port.number`, byNumber);
    else errors.push(required(at, 'port name or number is required'));
  } else errors.push(invalid(at, '', 'resource or service backend is required'));
}

function checkResourceBackend(errors: Errors, at: string, resource: JsonObject): void {
  const group = valueAt(resource, 'apiGroup');
  if (typeof group === 'string') checkName(errors, `${at}.apiGroup`, group, dns1123Subdomain);
  for (const field of ['kind', 'name']) {
    const value = textAt(resource, field);
    if (value === '') errors.push(required(`${at}.${field}`));
    else if (/[/%]/.test(value) || value === '.' || value === '..') {
      errors.push(invalid(`${at}.${field}`, value, "may not contain '/'"));
    }
  }
}

function checkIngressClass(errors: Errors, ingressClass: KubeObject): void {
  const spec = specOf(ingressClass);
  const controller = textAt(spec, 'controller');
  if (controller.length > 250) {
    errors.push({
      type: 'FieldValueTooLong',
      field: 'spec.controller',
      message: 'Too long: may not be more than 250 bytes',
    });
  }
  const slash = controller.indexOf('/');
  if (controller === '') errors.push(required('spec.controller'));
  else if (slash <= 0 || slash === controller.length - 1) {
    const why = 'must be a domain-prefixed path (such as "acme.io/foo")';
    errors.push(invalid('spec.controller', controller, why));
  }
  const parameters = objectAt(spec, 'parameters');
  if (parameters === undefined) return;
  const at = 'spec.parameters';
  checkResourceBackend(errors, at, parameters);
  const scope = valueAt(parameters, 'scope');
  if (scope === undefined) errors.push(required(`${at}.scope`));
  else checkOptionalChoice(errors, `${at}.scope`, scope, ['Cluster', 'Namespace']);
  const namespace = textAt(parameters, 'namespace');
  if (scope === 'Namespace') {
    const why = "`parameters.scope` is set to 'Namespace'";
    if (namespace === '') errors.push(required(`${at}.namespace`, why));
    else checkName(errors, `${at}.namespace`, namespace, dns1123Label);
  } else if (scope === 'Cluster' && valueAt(parameters, 'namespace') !== undefined) {
    errors.push(forbiddenField(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
}

/** One range, or one of each address family. */
function checkServiceRanges(errors: Errors, cidrs: readonly string[]): void {
  const at = 'spec.cidrs';
  if (cidrs.length === 0) errors.push(required(at, 'at least one CIDR required'));
  if (cidrs.length > 2) {
    errors.push(invalid(at, { cidrs: [...cidrs] }, 'may only hold up to 2 values'));
    return;
  }
  const families = cidrs.map((cidr, i) => checkCidr(errors, `${at}[${i}]`, cidr) && cidr.includes(':'));
  const valid = cidrs.filter((cidr) => cidr.includes('/'));
  if (cidrs.length === 2 && valid.length === 2 && families[0] === families[1]) {
    const why = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(invalid(at, [...cidrs], why));
  }
}

function checkNetworkPolicy(errors: Errors, policy: KubeObject, old: KubeObject | undefined): void {
  const spec = specOf(policy);
  const known = old === undefined ? [] : policyRanges(specOf(old));
  checkSelector(errors, 'spec.podSelector', objectAt(spec, 'podSelector'));
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    objectsAt(spec, direction).forEach((one, i) => {
      const at = `spec.${direction}[${i}]`;
      objectsAt(one, 'ports').forEach((port, j) => {
        checkPolicyPort(errors, `${at}.ports[${j}]`, port);
      });
      objectsAt(one, peers).forEach((peer, j) => {
        checkPeer(errors, `${at}.${peers}[${j}]`, peer, known);
      });
    });
  }
  const types = textsAt(spec, 'policyTypes');
  if (types.length > 2) {
    errors.push(invalid('spec.policyTypes', types, 'may not specify more than two policyTypes'));
    return;
  }
  types.forEach((type, i) => {
    if (type === 'Ingress' || type === 'Egress') return;
    errors.push(notSupported(`spec.policyTypes[${i}]`, type, ['Ingress', 'Egress']));
  });
}

function checkPolicyPort(errors: Errors, at: string, port: JsonObject): void {
  const protocol = valueAt(port, 'protocol');
  if (protocol !== undefined && !protocols.includes(protocol as (typeof protocols)[number])) {
    errors.push(notSupported(`${at}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']));
  }
  const value = valueAt(port, 'port');
  const end = numberAt(port, 'endPort');
  if (value !== undefined) checkPort(errors, `${at}.port`, value);
  if (end === undefined) return;
  const refuse = (why: string) => errors.push(invalid(`${at}.endPort`, end, why));
  if (value === undefined) refuse('may not be specified when `port` is not specified');
  else if (typeof value === 'string') refuse('may not be specified when `port` is non-numeric');
  else {
    if (typeof value === 'number' && end < value) {
      errors.push(invalid(`${at}.endPort`, value, 'must be greater than or equal to `port`'));
    }
    checkPortNumber(errors, `${at}.endPort`, end);
  }
}

/** All CIDRs of a policy: what stood before may stay as it is. */
function policyRanges(spec: JsonObject): string[] {
  const peers = [
    ...objectsAt(spec, 'ingress').flatMap((one) => objectsAt(one, 'from')),
    ...objectsAt(spec, 'egress').flatMap((one) => objectsAt(one, 'to')),
  ];
  return peers.flatMap((peer) => [textAt(peer, 'ipBlock', 'cidr'), ...textsAt(peer, 'ipBlock', 'except')]);
}

function checkPeer(errors: Errors, at: string, peer: JsonObject, known: readonly string[]): void {
  const selectors = ['podSelector', 'namespaceSelector'].filter((field) => {
    const selector = objectAt(peer, field);
    checkSelector(errors, `${at}.${field}`, selector);
    return selector !== undefined;
  });
  const block = objectAt(peer, 'ipBlock');
  if (block !== undefined) checkIpBlock(errors, `${at}.ipBlock`, block, known);
  if (selectors.length === 0 && block === undefined) errors.push(required(at, 'must specify a peer'));
  else if (selectors.length > 0 && block !== undefined) {
    errors.push(forbiddenField(at, 'may not specify both ipBlock and another peer'));
  }
}

function checkIpBlock(errors: Errors, at: string, block: JsonObject, known: readonly string[]): void {
  const cidr = textAt(block, 'cidr');
  if (cidr === '') {
    errors.push(required(`${at}.cidr`));
    return;
  }
  if (!checkCidr(errors, `${at}.cidr`, cidr, known)) return;
  const [network = '', bits = ''] = cidr.split('/');
  const range = new BlockList();
  range.addSubnet(network, Number(bits), isIPv4(network) ? 'ipv4' : 'ipv6');
  textsAt(block, 'except').forEach((except, i) => {
    if (!checkCidr(errors, `${at}.except[${i}]`, except, known)) return;
    const [address = '', exceptBits = ''] = except.split('/');
    const inside =
      isIPv4(address) === isIPv4(network) && range.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
    if (!inside || Number(bits) >= Number(exceptBits)) {
      errors.push(invalid(`${at}.except[${i}]`, except, 'must be a strict subset of `cidr`'));
    }
  });
}

const endpointsMax = 1000;
const addressesMax = 100;
const portsMax = 20_000;
const topologyMax = 16;
const hintsMax = 8;

function checkEndpointSlice(errors: Errors, slice: KubeObject, old: KubeObject | undefined): void {
  const type = textAt(slice, 'addressType');
  checkChoice(errors, 'addressType', type, ['FQDN', 'IPv4', 'IPv6']);
  checkSlicePorts(errors, objectsAt(slice, 'ports'));
  // Those that stay as they were are not looked at: older releases took others (ValidateEndpointSlice).
  if (old !== undefined && equalJson(old['endpoints'] ?? [], slice['endpoints'] ?? [])) return;
  const endpoints = objectsAt(slice, 'endpoints');
  if (endpoints.length > endpointsMax) {
    errors.push(tooMany('endpoints', endpoints.length, endpointsMax));
    return;
  }
  endpoints.forEach((endpoint, i) => {
    checkEndpoint(errors, `endpoints[${i}]`, endpoint, type);
  });
}

function checkSlicePorts(errors: Errors, ports: readonly JsonObject[]): void {
  if (ports.length > portsMax) {
    errors.push(tooMany('ports', ports.length, portsMax));
    return;
  }
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = `ports[${i}]`;
    const name = textAt(port, 'name');
    if (name !== '') checkDnsLabel(errors, `${at}.name`, name);
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    // Defaulting fills what is absent; what is empty is none of them.
    checkOptionalChoice(errors, `${at}.protocol`, valueAt(port, 'protocol') ?? '', protocols);
    const appProtocol = valueAt(port, 'appProtocol');
    if (typeof appProtocol === 'string') checkName(errors, `${at}.appProtocol`, appProtocol, labelKey);
  });
}

function checkEndpoint(errors: Errors, at: string, endpoint: JsonObject, type: string): void {
  const addresses = textsAt(endpoint, 'addresses');
  if (addresses.length === 0) {
    errors.push(required(`${at}.addresses`, 'must contain at least 1 address'));
  } else if (addresses.length > addressesMax) {
    errors.push(tooMany(`${at}.addresses`, addresses.length, addressesMax));
  }
  addresses.forEach((address, i) => {
    checkSliceAddress(errors, `${at}.addresses`, i, address, type);
  });
  const node = valueAt(endpoint, 'nodeName');
  if (typeof node === 'string') checkName(errors, `${at}.nodeName`, node, dns1123Subdomain);
  const topology = objectAt(endpoint, 'deprecatedTopology');
  const count = Object.keys(topology ?? {}).length;
  if (count > topologyMax) errors.push(tooMany(`${at}.deprecatedTopology`, count, topologyMax));
  checkLabels(errors, `${at}.deprecatedTopology`, topology);
  const hostname = valueAt(endpoint, 'hostname');
  if (typeof hostname === 'string') checkDnsLabel(errors, `${at}.hostname`, hostname);
  for (const field of ['forZones', 'forNodes']) {
    const hints = objectsAt(endpoint, 'hints', field);
    const path = `${at}.hints.${field}`;
    if (hints.length > hintsMax) {
      errors.push(tooMany(path, hints.length, hintsMax));
      return;
    }
    const seen = new Set<string>();
    hints.forEach((hint, i) => {
      const name = textAt(hint, 'name');
      if (seen.has(name)) errors.push(duplicate(`${path}[${i}].name`, name));
      seen.add(name);
      checkName(errors, `${path}[${i}].name`, name, field === 'forZones' ? labelValue : dns1123Subdomain);
    });
  }
}

function checkSliceAddress(errors: Errors, path: string, i: number, address: string, type: string): void {
  const at = `${path}[${i}]`;
  if (type === 'IPv4' || type === 'IPv6') {
    if (!checkIp(errors, at, address)) return;
    const fits = type === 'IPv4' ? isIPv4(address) : isIPv6(address);
    if (!fits) errors.push(invalid(path, address, `must be an ${type} address`));
    checkEndpointIp(errors, at, address);
  } else if (type === 'FQDN') {
    const name = address.replace(/\.$/, '');
    const messages = dns1123Subdomain(name);
    if (address === '') errors.push(required(at));
    else if (messages.length > 0) errors.push(invalid(at, name, messages.join(',')));
    else if (!name.includes('.')) {
      errors.push(invalid(at, name, 'should be a domain with at least two segments separated by dots'));
    }
  }
}

function checkEndpoints(errors: Errors, endpoints: KubeObject, old: KubeObject | undefined): void {
  // As with slices (ValidateEndpoints).
  if (old !== undefined && equalJson(old['subsets'] ?? [], endpoints['subsets'] ?? [])) return;
  objectsAt(endpoints, 'subsets').forEach((subset, i) => {
    const at = `subsets[${i}]`;
    let count = 0;
    for (const field of ['addresses', 'notReadyAddresses']) {
      const addresses = objectsAt(subset, field);
      count += addresses.length;
      addresses.forEach((address, j) => {
        const path = `${at}.${field}[${j}]`;
        const ip = textAt(address, 'ip');
        const isAddress = checkIp(errors, `${path}.ip`, ip);
        const hostname = textAt(address, 'hostname');
        if (hostname !== '') checkDnsLabel(errors, `${path}.hostname`, hostname);
        const node = valueAt(address, 'nodeName');
        if (typeof node === 'string') checkName(errors, `${path}.nodeName`, node, dns1123Subdomain);
        // Looked at twice, as ValidateEndpointIP does.
        if (isAddress) checkEndpointIp(errors, `${path}.ip`, ip);
        else errors.push(invalid(`${path}.ip`, ip, 'must be a valid IP address'));
      });
    }
    if (count === 0) errors.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
    const ports = objectsAt(subset, 'ports');
    ports.forEach((port, j) => {
      const path = `${at}.ports[${j}]`;
      const name = textAt(port, 'name');
      if (name !== '') checkDnsLabel(errors, `${path}.name`, name);
      else if (ports.length > 1) errors.push(required(`${path}.name`));
      checkPortNumber(errors, `${path}.port`, numberAt(port, 'port') ?? 0);
      checkChoice(errors, `${path}.protocol`, valueAt(port, 'protocol'), protocols);
      const appProtocol = valueAt(port, 'appProtocol');
      if (typeof appProtocol === 'string') checkName(errors, `${path}.appProtocol`, appProtocol, labelKey);
    });
  });
}
