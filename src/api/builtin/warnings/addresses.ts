import { isIPv4, isIPv6 } from 'node:net';

/** An IPv6 address in RFC 5952's form; an IPv4-mapped one as IPv4, as Go's net.IP prints it. */
function canonicalIpv6(address: string): string {
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** What is told of an address that validation has accepted, but is not in its best form (KEP-4858); usually nothing. */
export function addressWarnings(path: string, address: string): string[] {
  if (!isIPv6(address) || address.includes('%')) return [];
  const canonical = canonicalIpv6(address);
  if (canonical === address) return [];
  return isIPv4(canonical)
    ? [`${path}: non-standard IP address "${address}" is invalid: use "${canonical}"`]
    : [`${path}: IPv6 address "${address}" should be in RFC 5952 canonical format ("${canonical}")`];
}

/** The same of a network in CIDR notation. Bits beyond the prefix are only told of IPv4 networks, whose masking is plain. */
export function networkWarnings(path: string, cidr: string): string[] {
  const [address = '', bits = ''] = cidr.split('/');
  if (!/^\d{1,3}$/.test(bits)) return [];
  if (isIPv4(address)) {
    const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const size = 2 ** (32 - Number(bits));
    const masked = Math.floor(number / size) * size;
    if (masked === number) return [];
    const network = [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256).join('.');
    const choices = `"${network}/${bits}" or "${address}/32"`;
    return [`${path}: CIDR value "${cidr}" is ambiguous in this context (should be ${choices}?)`];
  }
  if (!isIPv6(address) || address.includes('%')) return [];
  const canonical = canonicalIpv6(address);
  if (isIPv4(canonical) || canonical === address) return [];
  return [
    `${path}: IPv6 CIDR value "${cidr}" should be in RFC 5952 canonical format ("${canonical}/${bits}")`,
  ];
}
