/** A block of IPv4 addresses, numbered from 0. */
export interface IpRange {
  readonly text: string;
  readonly size: number;
  address(offset: number): string;
  contains(address: string): boolean;
}

/** Parses `10.96.0.0/12`; throws a RangeError when malformed or when a prefix is longer than /30 or shorter than /8. */
export function parseIpRange(text: string): IpRange {
  const [base, bits] = text.split('/');
  const start = parseIpV4(base ?? '');
  const prefix = Number(bits);
  if (start === undefined || !Number.isInteger(prefix) || prefix < 8 || prefix > 30) {
    throw new RangeError(`not an IPv4 range between /8 and /30: ${text}`);
  }
  const size = 2 ** (32 - prefix);
  const first = start - (start % size);
  return {
    text,
    size,
    address: (offset) => formatIpV4(first + offset),
    contains: (address) => {
      const value = parseIpV4(address);
      return value !== undefined && value > first && value < first + size - 1;
    },
  };
}

/** Dotted quads as Kubernetes takes them: no leading zeros. */
function parseIpV4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

function formatIpV4(value: number): string {
  return `${Math.floor(value / 2 ** 24)}.${(value >> 16) & 255}.${(value >> 8) & 255}.${value & 255}`;
}
