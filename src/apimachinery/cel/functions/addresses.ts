import { isIPv4, isIPv6 } from 'node:net';
import { sizeOf } from '../sizes.ts';
import { opaqueNamed } from '../types.ts';
import { CelFault, noOverload, Opaque, type Value } from '../values.ts';
import { constantCost, textFactor, traversal } from './costs.ts';
import type { CostModel, FunctionTable } from './registry.ts';

const ipType = opaqueNamed('net.IP');
const cidrType = opaqueNamed('net.CIDR');

/** An IPv4 or IPv6 address as a number. */
export class IpAddress extends Opaque {
  readonly type = ipType;
  readonly bits: 32 | 128;
  readonly number: bigint;

  constructor(bits: 32 | 128, number: bigint) {
    super();
    this.bits = bits;
    this.number = number;
  }

  override get size(): number {
    return this.bits / 8;
  }

  equals(other: Opaque): boolean {
    return other instanceof IpAddress && other.bits === this.bits && other.number === this.number;
  }

  /** The canonical text: RFC 5952 for IPv6. */
  override toString(): string {
    if (this.bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (this.number >> shift) & 255n).join('.');
    const groups = Array.from({ length: 8 }, (_, index) =>
      ((this.number >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
    );
    const zeros = [...groups.join(':').matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)];
    const longest = zeros.reduce((best, [found]) => (found.length > best.length ? found : best), '');
    if (longest === '') return groups.join(':');
    const text = groups.join(':');
    const at = zeros.find(([found]) => found === longest)?.index ?? 0;
    return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`;
  }
}

class Network extends Opaque {
  readonly type = cidrType;
  readonly address: IpAddress;
  readonly prefix: number;

  constructor(address: IpAddress, prefix: number) {
    super();
    this.address = address;
    this.prefix = prefix;
  }

  override get size(): number {
    return Math.ceil(this.prefix / 8);
  }

  equals(other: Opaque): boolean {
    return other instanceof Network && other.prefix === this.prefix && other.address.equals(this.address);
  }

  masked(): Network {
    const shift = BigInt(this.address.bits - this.prefix);
    return new Network(
      new IpAddress(this.address.bits, (this.address.number >> shift) << shift),
      this.prefix,
    );
  }

  contains(address: IpAddress): boolean {
    if (address.bits !== this.address.bits) return false;
    const shift = BigInt(this.address.bits - this.prefix);
    return address.number >> shift === this.address.number >> shift;
  }

  override toString(): string {
    return `${this.address}/${this.prefix}`;
  }
}

/** Undefined for what netip.ParseAddr refuses, zones, and IPv4 inside IPv6. */
function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) {
    return new IpAddress(
      32,
      text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n),
    );
  }
  if (!isIPv6(text) || text.includes('%') || isMapped(text)) return undefined;
  return new IpAddress(128, ipv6Number(text));
}

function ipv6Number(text: string): bigint {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  let plain = text;
  if (dotted !== null) {
    const [, head, a, b, c, d] = dotted;
    const pair = (x: string, y: string): string => (Number(x) * 256 + Number(y)).toString(16);
    plain = `${head}${pair(a as string, b as string)}:${pair(c as string, d as string)}`;
  }
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...before, ...new Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

function parseNetwork(text: string): Network | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(?:0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > address.bits)
    return undefined;
  return new Network(address, Number(digits));
}

/** In apiserver's words (cel/library/ip.go parseIPAddr), without those of Go's parser. */
function whyNoAddress(text: string): string {
  const [plain = '', zone = ''] = text.split(/%(.*)/s);
  if (isIPv6(plain) && zone !== '')
    return `IP address ${JSON.stringify(text)} with zone value is not allowed`;
  if (isMapped(text)) return mappedRefusal(text);
  return `IP Address ${JSON.stringify(text)} parse error during conversion from string`;
}

function whyNoNetwork(text: string): string {
  const [, address = '', prefix] = /^(.*)\/(0|[1-9][0-9]{0,2})$/s.exec(text) ?? [];
  const refused = 'network address parse error during conversion from string';
  return isMapped(address) && Number(prefix) <= 128 ? `${refused}: ${mappedRefusal(text)}` : refused;
}

function isMapped(text: string): boolean {
  return isIPv6(text) && !text.includes('%') && ipv6Number(text) >> 32n === 0xffffn;
}

function mappedRefusal(text: string): string {
  return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
}

function ipOf(value: Value): IpAddress | CelFault {
  if (value instanceof IpAddress) return value;
  return parseAddress(value as string) ?? new CelFault(whyNoAddress(value as string));
}

function networkOf(value: Value): Network | CelFault {
  if (value instanceof Network) return value;
  return parseNetwork(value as string) ?? new CelFault(whyNoNetwork(value as string));
}

function isGlobalUnicast(ip: IpAddress): boolean {
  if (ip.number === 0n || isMulticast(ip) || isLinkLocalUnicast(ip) || isLoopback(ip)) return false;
  return ip.bits !== 32 || ip.number !== 0xffffffffn;
}

function isMulticast({ bits, number }: IpAddress): boolean {
  return bits === 32 ? number >> 28n === 0xen : number >> 120n === 0xffn;
}

function isLinkLocalUnicast({ bits, number }: IpAddress): boolean {
  return bits === 32 ? number >> 16n === 0xa9fen : number >> 118n === 0x3fan;
}

function isLinkLocalMulticast({ bits, number }: IpAddress): boolean {
  return bits === 32 ? number >> 8n === 0xe00000n : ((number >> 112n) & 0xff0fn) === 0xff02n;
}

function isLoopback({ bits, number }: IpAddress): boolean {
  return bits === 32 ? number >> 24n === 127n : number === 1n;
}

const bytesMin = 4;
const bytesMax = 16;

/** Two addresses compared, and of networks the inner one masked first; with the text of it. */
const containing = (isNetwork: boolean, hasText: boolean): CostModel => {
  const cost = (bytes: number): number =>
    Math.ceil(2 * bytes * textFactor) + (isNetwork ? Math.ceil(bytes * textFactor) + 1 : 0);
  return {
    run: ([network, other]) =>
      cost(sizeOf(network ?? null)) + (hasText ? Math.ceil(sizeOf(other ?? null) * textFactor) : 0),
    estimate: ([, other]) => {
      const text = hasText ? Math.ceil((other?.size.max ?? 0) * textFactor) : 0;
      return { cost: { min: cost(bytesMin), max: cost(bytesMax) + text } };
    },
  };
};

/** Kubernetes' ip and cidr functions (apiserver/pkg/cel/library/ip.go, cidr.go). */
export function addAddresses(table: FunctionTable): void {
  const one = constantCost(1);
  const tests: [string, (ip: IpAddress) => boolean][] = [
    ['isUnspecified', ({ number }) => number === 0n],
    ['isLoopback', isLoopback],
    ['isLinkLocalMulticast', isLinkLocalMulticast],
    ['isLinkLocalUnicast', isLinkLocalUnicast],
    ['isGlobalUnicast', isGlobalUnicast],
  ];
  for (const [name, test] of tests)
    table.add([`net.IP->${name}() bool`], ([ip]) => test(ip as IpAddress), one);
  table
    .add(['ip(string) net.IP'], ([text]) => ipOf(text as Value), traversal(0))
    .add(['isIP(string) bool'], ([text]) => parseAddress(text as string) !== undefined, traversal(0))
    .add(
      ['ip.isCanonical(string) bool'],
      ([text]) => {
        const ip = ipOf(text as Value);
        return ip instanceof CelFault ? ip : ip.toString() === text;
      },
      traversal(0, 2),
    )
    .add(['net.IP->family() int'], ([ip]) => ((ip as IpAddress).bits === 32 ? 4n : 6n), one)
    .add(['string(net.IP) string', 'string(net.CIDR) string'], ([ip]) =>
      (ip as IpAddress | Network).toString(),
    )
    .add(['cidr(string) net.CIDR'], ([text]) => networkOf(text as Value), traversal(0))
    .add(['isCIDR(string) bool'], ([text]) => parseNetwork(text as string) !== undefined, traversal(0))
    .add(['net.CIDR->ip() net.IP'], ([network]) => (network as Network).address, one)
    .add(['net.CIDR->masked() net.CIDR'], ([network]) => (network as Network).masked(), one)
    .add(['net.CIDR->prefixLength() int'], ([network]) => BigInt((network as Network).prefix), one);
  const containsIp = ([network, other]: readonly Value[]): Value => {
    const ip = ipOf(other as Value);
    return ip instanceof CelFault ? noOverload : (network as Network).contains(ip);
  };
  const containsNetwork = ([network, other]: readonly Value[]): Value => {
    const inner = networkOf(other as Value);
    if (inner instanceof CelFault) return inner;
    return (network as Network).prefix <= inner.prefix && (network as Network).contains(inner.address);
  };
  table
    .add(['net.CIDR->containsIP(net.IP) bool'], containsIp, containing(false, false))
    .add(['net.CIDR->containsIP(string) bool'], containsIp, containing(false, true))
    .add(['net.CIDR->containsCIDR(net.CIDR) bool'], containsNetwork, containing(true, false))
    .add(['net.CIDR->containsCIDR(string) bool'], containsNetwork, containing(true, true));
}
