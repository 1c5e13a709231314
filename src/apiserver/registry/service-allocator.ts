import { randomInt } from 'node:crypto';
import { ApiError } from '#apimachinery/api-error.ts';
import { type FieldError, invalid, invalidObject } from '#apimachinery/field-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Guard, Operation, Revision, StorageKey } from '#storage/storage.ts';
import type { Allocation, Allocator } from './allocator.ts';
import { canonicalAddress, type IpFamily, type IpRange, parseIpRange } from './ip-range.ts';
import {
  type ServicePort,
  type ServiceRanges,
  type ServiceSpec,
  sameTexts,
  settleFamilies,
} from './service-families.ts';
import type { Target } from './target.ts';

/** Where reservations lie; a workspace's deletion removes these ranges with all others. */
export const serviceAddressReservations = { group: 'internal.cellplane.io', resource: 'serviceaddresses' };
export const nodePortReservations = { group: 'internal.cellplane.io', resource: 'nodeports' };

/** Random picks before the range is walked. */
const randomTries = 16;
/** Places looked at when walking a range that is nearly full. */
const walkMax = 65_536;

export interface ServiceAllocatorOptions {
  /** One or two, of different families; the first one's is the default. Default `10.96.0.0/12`. */
  readonly serviceRanges?: readonly IpRange[] | undefined;
  /** Default 30000–32767, both included. */
  readonly nodePorts?: { readonly min: number; readonly max: number } | undefined;
}

/** 10.96.0.1 is the Service `kubernetes` of each workspace. */
export const defaultServiceRange = '10.96.0.0/12';

/** Cluster addresses and node ports of Services, per workspace (Kubernetes' registry/core/service/storage/alloc.go). */
export class ServiceAllocator implements Allocator {
  readonly #ranges: ServiceRanges;
  readonly #ports: { readonly min: number; readonly max: number };

  constructor(options: ServiceAllocatorOptions = {}) {
    const ranges = options.serviceRanges ?? [parseIpRange(defaultServiceRange)];
    this.#ranges = new Map(ranges.map((range) => [range.family, range]));
    this.#ports = options.nodePorts ?? { min: 30_000, max: 32_767 };
  }

  handles(definition: ResourceDefinition): boolean {
    return definition.group === '' && definition.resource === 'services';
  }

  prepareForUpdate(object: KubeObject, old: KubeObject): void {
    const spec = specOf(object);
    const oldSpec = specOf(old);
    if (spec === undefined || oldSpec === undefined) return;
    if (needsAddress(oldSpec) && needsAddress(spec) && !isExternalName(spec)) keepAddresses(spec, oldSpec);
    if (isExternalName(spec) && !isExternalName(oldSpec)) dropAddresses(spec, oldSpec);
    normalizeAddresses(spec, oldSpec);
    if (needsNodePorts(oldSpec) && needsNodePorts(spec)) keepNodePorts(spec, oldSpec);
    if (needsNodePorts(oldSpec) && !needsNodePorts(spec)) dropNodePorts(spec, oldSpec);
    if (needsHealthCheckPort(oldSpec)) keepHealthCheckPort(spec, oldSpec);
  }

  allocate({ storage, target, object, old }: Parameters<Allocator['allocate']>[0]): Allocation {
    const given = specOf(object);
    if (given === undefined) return { object, guards: [], operations: [] };
    const spec: ServiceSpec = { ...given };
    // Once defaulted where it means nothing, and shown by none since (defaultOnReadInternalTrafficPolicy).
    if (isExternalName(spec)) delete spec.internalTrafficPolicy;
    const held = this.#reservationsOf(target, old);
    const wanted = new Set<StorageKey>();
    const errors: FieldError[] = [];
    normalizeAddresses(spec, undefined);
    settleFamilies(spec, old === undefined ? undefined : specOf(old), this.#ranges, errors);
    if (errors.length > 0) throw invalidObject(target.served.definition, target.name, errors);
    this.#assignAddresses(storage, target, spec, held, wanted, errors);
    this.#assignPorts(storage, target, spec, held, wanted, errors);
    if (errors.length > 0) throw invalidObject(target.served.definition, target.name, errors);

    const guards: Guard[] = [];
    const operations: Operation[] = [];
    const value = reservationValue(target);
    for (const key of wanted) {
      if (held.has(key)) continue;
      guards.push({ key, revision: 0 as Revision });
      operations.push({ type: 'put', key, value });
    }
    for (const key of held) {
      if (!wanted.has(key)) operations.push({ type: 'delete', key });
    }
    return { object: { ...object, spec }, guards, operations };
  }

  release({ storage, target, object }: Parameters<Allocator['release']>[0]): readonly Operation[] {
    const value = reservationValue(target);
    const operations: Operation[] = [];
    for (const key of this.#reservationsOf(target, object)) {
      if (storage.peek(key)?.value.equals(value) === true) operations.push({ type: 'delete', key });
    }
    return operations;
  }

  #reservationsOf(target: Target, object: KubeObject | undefined): Set<StorageKey> {
    const keys = new Set<StorageKey>();
    const spec = object === undefined ? undefined : specOf(object);
    if (spec === undefined) return keys;
    for (const address of spec.clusterIPs ?? [spec.clusterIP ?? '']) {
      if (address !== '' && address !== 'None') keys.add(addressKey(target, address));
    }
    for (const port of spec.ports ?? []) if (port.nodePort) keys.add(portKey(target, port.nodePort));
    if (spec.healthCheckNodePort) keys.add(portKey(target, spec.healthCheckNodePort));
    return keys;
  }

  /** An address of each family; those that there are keep theirs. */
  #assignAddresses(
    storage: CachedStorage,
    target: Target,
    spec: ServiceSpec,
    held: ReadonlySet<StorageKey>,
    wanted: Set<StorageKey>,
    errors: FieldError[],
  ): void {
    if (!needsAddress(spec) || spec.clusterIP === 'None') return;
    const addresses = [...(spec.clusterIPs ?? [])];
    const given = [...addresses];
    (spec.ipFamilies ?? []).forEach((family, i) => {
      const range = this.#ranges.get(family as IpFamily);
      const chosen = addresses[i];
      if (range === undefined) {
        // The server was configured for this family once: what the service has, it keeps.
        if (chosen !== undefined && held.has(addressKey(target, chosen)))
          wanted.add(addressKey(target, chosen));
        return;
      }
      if (chosen === undefined || chosen === '') {
        const free = this.#freeAddress(storage, target, range);
        addresses[i] = free;
        wanted.add(addressKey(target, free));
        return;
      }
      const key = addressKey(target, chosen);
      if (!held.has(key)) {
        const why = refusal(chosen, range, storage.peek(key) !== undefined);
        if (why !== undefined) errors.push(invalid('spec.clusterIPs', given, why));
      }
      wanted.add(key);
    });
    if (addresses.length === 0) return;
    spec.clusterIPs = addresses;
    spec.clusterIP = addresses[0] as string;
  }

  /** Above a band that is left to addresses chosen by hand (KEP-3070), while there is room. */
  #freeAddress(storage: CachedStorage, target: Target, range: IpRange): string {
    const { size } = range;
    const last = size - 2;
    const band = Math.min(Math.max(16, Math.floor(size / 16)), 256, Math.max(last - 1, 1));
    const isFree = (offset: number) => storage.peek(addressKey(target, range.address(offset))) === undefined;
    for (let i = 0; i < randomTries; i++) {
      const offset = randomInt(band, last + 1);
      if (isFree(offset)) return range.address(offset);
    }
    const start = randomInt(band, last + 1);
    for (let i = 0; i < Math.min(last - band + 1, walkMax); i++) {
      const offset = band + ((start - band + i) % (last - band + 1));
      if (isFree(offset)) return range.address(offset);
    }
    // The first address is the workspace's own Service `kubernetes`.
    for (let offset = 2; offset < band; offset++) if (isFree(offset)) return range.address(offset);
    throw rangeIsFull('failed to allocate a serviceIP');
  }

  #assignPorts(
    storage: CachedStorage,
    target: Target,
    spec: ServiceSpec,
    held: ReadonlySet<StorageKey>,
    wanted: Set<StorageKey>,
    errors: FieldError[],
  ): void {
    const claim = (port: number, field: string): void => {
      const key = portKey(target, port);
      if (port < this.#ports.min || port > this.#ports.max) {
        const why = `provided port is not in the valid range. The range of valid ports is ${this.#ports.min}-${this.#ports.max}`;
        errors.push(invalid(field, port, why));
      } else if (!held.has(key) && storage.peek(key) !== undefined) {
        errors.push(invalid(field, port, 'provided port is already allocated'));
      }
      wanted.add(key);
    };
    const ports = spec.ports;
    if (ports !== undefined) {
      // One Service may use a number for several protocols.
      ports.forEach((port, index) => {
        if (port.nodePort) claim(port.nodePort, `spec.ports[${index}].nodePort`);
      });
      if (needsNodePorts(spec) && allocatesNodePorts(spec)) {
        spec.ports = ports.map((port) =>
          port.nodePort
            ? port
            : { ...port, nodePort: this.#nodePortFor(storage, target, port, ports, wanted) },
        );
      }
    }
    if (!needsHealthCheckPort(spec)) return;
    if (spec.healthCheckNodePort) {
      claim(spec.healthCheckNodePort, 'spec.healthCheckNodePort');
    } else {
      spec.healthCheckNodePort = this.#freePort(storage, target, wanted);
      wanted.add(portKey(target, spec.healthCheckNodePort));
    }
  }

  /** The number that the same port has for another protocol, else a free one. */
  #nodePortFor(
    storage: CachedStorage,
    target: Target,
    port: ServicePort,
    ports: readonly ServicePort[],
    wanted: Set<StorageKey>,
  ): number {
    const sibling = ports.find(
      (one) => one !== port && one.port === port.port && one.protocol !== port.protocol && one.nodePort,
    );
    const isTaken =
      sibling !== undefined &&
      ports.some((one) => one.nodePort === sibling.nodePort && one.protocol === port.protocol);
    if (sibling?.nodePort !== undefined && !isTaken) return sibling.nodePort;
    const free = this.#freePort(storage, target, wanted);
    wanted.add(portKey(target, free));
    return free;
  }

  #freePort(storage: CachedStorage, target: Target, wanted: ReadonlySet<StorageKey>): number {
    const { min, max } = this.#ports;
    const count = max - min + 1;
    const isFree = (port: number) => {
      const key = portKey(target, port);
      return !wanted.has(key) && storage.peek(key) === undefined;
    };
    const start = randomInt(count);
    for (let i = 0; i < count; i++) {
      const port = min + ((start + i) % count);
      if (isFree(port)) return port;
    }
    throw rangeIsFull('failed to allocate a nodePort');
  }
}

function specOf(object: KubeObject): ServiceSpec | undefined {
  return isJsonObject(object['spec']) ? (object['spec'] as ServiceSpec) : undefined;
}

function isExternalName(spec: ServiceSpec): boolean {
  return spec.type === 'ExternalName';
}

function needsAddress(spec: ServiceSpec): boolean {
  return !isExternalName(spec);
}

function needsNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

function allocatesNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
}

function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

/** clusterIP and clusterIPs[0] say the same; whichever is missing, or was left behind by the other's change, follows. */
function normalizeAddresses(spec: ServiceSpec, old: ServiceSpec | undefined): void {
  const { clusterIP, clusterIPs } = spec;
  if (clusterIP && (clusterIPs === undefined || clusterIPs.length === 0)) {
    spec.clusterIPs = [clusterIP];
  } else if (!clusterIP && clusterIPs !== undefined && clusterIPs.length > 0) {
    if (old === undefined) spec.clusterIP = clusterIPs[0]!;
    else if (sameTexts(clusterIPs, old.clusterIPs)) delete spec.clusterIPs;
  } else if (old !== undefined && clusterIP !== old.clusterIP && sameTexts(clusterIPs, old.clusterIPs)) {
    if (clusterIP) spec.clusterIPs = [clusterIP];
    else delete spec.clusterIPs;
  }
}

/** Each comes back when it is left out (patchAllocatedValues). */
function keepAddresses(spec: ServiceSpec, old: ServiceSpec): void {
  if ((spec.clusterIP ?? '') === '' && old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
  if ((spec.clusterIPs ?? []).length === 0 && old.clusterIPs !== undefined)
    spec.clusterIPs = [...old.clusterIPs];
  if (spec.ipFamilies === undefined && old.ipFamilies !== undefined) spec.ipFamilies = [...old.ipFamilies];
  if (spec.ipFamilyPolicy === undefined && old.ipFamilyPolicy !== undefined)
    spec.ipFamilyPolicy = old.ipFamilyPolicy;
}

/** Each that the user did not touch goes by itself (dropTypeDependentFields). */
function dropAddresses(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.clusterIP === old.clusterIP && sameTexts(spec.clusterIPs, old.clusterIPs)) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  if (sameTexts(spec.ipFamilies, old.ipFamilies)) delete spec.ipFamilies;
  if (spec.ipFamilyPolicy === old.ipFamilyPolicy) delete spec.ipFamilyPolicy;
}

/** A port keeps its node port by its name, whatever else of it changed (patchAllocatedValues). */
function keepNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const used = new Set((spec.ports ?? []).map((port) => port.nodePort));
  const byName = new Map((old.ports ?? []).map((port) => [port.name ?? '', port.nodePort]));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before = byName.get(port.name ?? '');
    if (before && !used.has(before)) port.nodePort = before;
  }
}

function dropNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const before = (old.ports ?? []).map((port) => port.nodePort ?? 0);
  const now = (spec.ports ?? []).map((port) => port.nodePort ?? 0);
  if (before.length !== now.length || before.some((port, index) => port !== now[index])) return;
  for (const port of spec.ports ?? []) delete port.nodePort;
}

/** It comes back when it is left out, and goes with what it is for, unless another is given. */
function keepHealthCheckPort(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsHealthCheckPort(spec)) {
    if (!spec.healthCheckNodePort && old.healthCheckNodePort !== undefined)
      spec.healthCheckNodePort = old.healthCheckNodePort;
  } else if (spec.healthCheckNodePort === old.healthCheckNodePort) delete spec.healthCheckNodePort;
}

function addressKey(target: Target, address: string): StorageKey {
  return objectKey({
    ...serviceAddressReservations,
    clusterId: target.workspace.id,
    namespace: '',
    name: canonicalAddress(address),
  });
}

function portKey(target: Target, port: number): StorageKey {
  return objectKey({
    ...nodePortReservations,
    clusterId: target.workspace.id,
    namespace: '',
    name: String(port),
  });
}

function reservationValue(target: Target): Buffer {
  return Buffer.from(JSON.stringify({ namespace: target.namespace, name: target.name }));
}

/** Why a service cannot have an address; undefined when it can. */
function refusal(address: string, range: IpRange, isTaken: boolean): string | undefined {
  const failed = `failed to allocate IP ${address}`;
  // ErrMismatchedNetwork: no ServiceCIDR has it (pkg/registry/core/service/ipallocator/cidrallocator.go getAllocator).
  if (!range.contains(address)) return `${failed}: the provided network does not match the current range`;
  return isTaken ? `${failed}: provided IP is already allocated` : undefined;
}

function rangeIsFull(what: string): ApiError {
  return new ApiError('InternalError', `Internal error occurred: ${what}: range is full`);
}
