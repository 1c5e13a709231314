/** Where a Redis server is, and as whom to come. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

const defaultPort = 6_379;

/** Takes `redis://` or `rediss://[user[:password]@]host[:port][/db]` apart. Throws RangeError for anything else. */
export function parseRedisUrl(url: string): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new RangeError('must be redis://host:port/db, or rediss:// with TLS');
  }
  const { protocol, hostname, port, username, password, pathname, search } = parsed;
  if (!/^\/?\d{0,5}$/.test(pathname)) throw new RangeError('the path of a Redis URL is the database number');
  if (search !== '') throw new RangeError('a Redis URL has no query');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? defaultPort : Number(port),
    db: Number(pathname.slice(1)),
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
    tls: protocol === 'rediss:',
  };
}
