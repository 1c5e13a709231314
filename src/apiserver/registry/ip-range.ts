import { isIPv6 } from 'node:net';

export type IpFamily = 'IPv4' | 'IPv6';

/** A block of addresses of one family, numbered from 0. */
export interface IpRange {
  readonly text: string;
  readonly family: IpFamily;
  /** How many of its addresses are numbered: all of them up to 2^48. */
  readonly size: number;
  /** In its canonical text. */
  address(offset: number): string;
  /** Whether a Service may have the address: one of the block, and not its first (nor, of IPv4, its last). */
  contains(address: string): boolean;
}

const numberedBitsMax = 48;

/**
 * Parses `10.96.0.0/12` or `fd00:10::/108`; throws a RangeError when malformed, or when a prefix is not between /8 and /30
 * (IPv6: /48 and /126).
 */
export function parseIpRange(text: string): IpRange {
  const [base = '', bits = '', ...more] = text.split('/');
  const value = parseAddress(base);
  const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  const family = familyOf(base);
  const [width, min, max] = family === 'IPv6' ? [128, 48, 126] : [32, 8, 30];
  if (value === undefined || more.length > 0 || !(prefix >= min && prefix <= max)) {
    throw new RangeError(`not a range of IPv4 (/8 to /30) or IPv6 (/48 to /126) addresses: ${text}`);
  }
  const count = 1n << BigInt(width - prefix);
  const first = value - (value % count);
  const last = family === 'IPv4' ? first + count - 2n : first + count - 1n;
  return {
    text,
    family,
    size: 2 ** Math.min(width - prefix, numberedBitsMax),
    address: (offset) => formatAddress(first + BigInt(offset), family),
    contains: (address) => {
      const asked = familyOf(address) === family ? parseAddress(address) : undefined;
      return asked !== undefined && asked > first && asked <= last;
    },
  };
}

/** The family that an address is written in. */
export function familyOf(address: string): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** The one text of an address (RFC 5952); what is no address stays as it is. */
export function canonicalAddress(address: string): string {
  const value = parseAddress(address);
  return value === undefined ? address : formatAddress(value, familyOf(address));
}

function parseAddress(text: string): bigint | undefined {
  if (familyOf(text) === 'IPv4') return parseIpV4(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  // A URL's host is the address in groups alone, with a last IPv4 part translated.
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const lead = groups(head);
  const end = groups(tail ?? '');
  const zeros = new Array<string>(tail === undefined ? 0 : 8 - lead.length - end.length).fill('0');
  return [...lead, ...zeros, ...end].reduce((value, group) => (value << 16n) + BigInt(`0x${group}`), 0n);
}

/** Dotted quads as Kubernetes takes them: no leading zeros. */
function parseIpV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = value * 256n + BigInt(byte);
  }
  return value;
}

function formatAddress(value: bigint, family: IpFamily): string {
  if (family === 'IPv4') {
    const number = Number(value);
    return `${Math.floor(number / 2 ** 24)}.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
