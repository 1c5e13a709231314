import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Where a Service may not lead by default: this machine, its link, and what is no address of one peer. */
const unreachableByDefault = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  '::1/128',
  'fe80::/10',
  'ff00::/8',
] as const;

/** An address that a Service names and that this server does not connect to. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/**
 * The networks in which Services of workspaces are reached. Whoever may write Services in a workspace chooses addresses
 * that this server then connects to: what only this machine reaches (its loopback, a cloud's metadata service) is out of
 * bounds unless the operator names it.
 */
export class ServiceNetworks {
  readonly #allowed: BlockList | undefined;
  readonly #denied: BlockList;

  private constructor(allowed: readonly string[] | undefined) {
    this.#allowed = allowed === undefined ? undefined : listOf(allowed);
    this.#denied = listOf(unreachableByDefault);
  }

  /** Everything but loopback, link-local, multicast and unspecified addresses. */
  static readonly byDefault = new ServiceNetworks(undefined);

  /** `10.0.0.0/8,fd00::/8`: those networks and no others. Throws RangeError naming what is no network. */
  static parse(text: string): ServiceNetworks {
    const networks = text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
    if (networks.length === 0) throw new RangeError('no network is named');
    return new ServiceNetworks(networks);
  }

  allows(address: string): boolean {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    // An IPv4 address in IPv6 clothes is judged as what it leads to.
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
    if (mapped !== undefined) return this.allows(mapped);
    if (this.#allowed !== undefined) return this.#allowed.check(address, family);
    return !this.#denied.check(address, family);
  }

  /** Throws NetworkError for an address that is out of bounds; names are judged when they are resolved (`lookup`). */
  check(host: string): void {
    if (isIP(host) !== 0 && !this.allows(host)) throw outOfBounds(host);
  }

  /** `dns.lookup` that gives only addresses within bounds: judged at each connection, so that no name can be rebound. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => this.allows(address));
      const [first] = allowed;
      if (first === undefined) return callback(outOfBounds(hostname), '', 0);
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

function outOfBounds(host: string): NetworkError {
  return new NetworkError(`${host} is not in a network in which this server reaches services`);
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', length = isIP(network) === 6 ? '128' : '32', ...rest] = network.split('/');
    const family = isIP(address);
    const bits = Number(length);
    if (family === 0 || rest.length > 0 || !/^\d+$/.test(length) || bits > (family === 6 ? 128 : 32)) {
      throw new RangeError(`${network} is no network; give address/bits`);
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
