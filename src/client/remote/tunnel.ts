import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

export interface TunnelTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * A connection to the target through a proxy: `http://` and `https://` by CONNECT (RFC 9110, section 9.3.6), `socks5://`
 * without credentials (RFC 1928), the name resolved by the proxy. Rejects when the proxy refuses or takes too long.
 */
export function openTunnel(proxyUrl: string, target: TunnelTarget, timeoutMs: number): Promise<net.Socket> {
  const proxy = new URL(proxyUrl);
  switch (proxy.protocol) {
    case 'http:':
    case 'https:':
      return connectTunnel(proxy, target, timeoutMs);
    case 'socks5:':
      return socksTunnel(proxy, target, timeoutMs);
    default:
      return Promise.reject(new Error(`proxies of the kind ${proxy.protocol} are not supported`));
  }
}

export function targetOf(url: URL): TunnelTarget {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

function connectTunnel(proxy: URL, { host, port }: TunnelTarget, timeoutMs: number): Promise<net.Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const request = (proxy.protocol === 'https:' ? https : http).request({
    ...targetOf(proxy),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority },
    agent: false,
    timeout: timeoutMs,
  });
  return new Promise((resolve, reject) => {
    request.once('connect', (answer, socket, head) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        reject(new Error(`proxy ${proxy.host} answered CONNECT with ${answer.statusCode}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      socket.setTimeout(0);
      resolve(socket as net.Socket);
    });
    request.once('timeout', () =>
      request.destroy(new Error(`proxy ${proxy.host} did not answer within ${timeoutMs} ms`)),
    );
    request.once('error', reject);
    request.end();
  });
}

const replies = [
  'succeeded',
  'general failure',
  'connection not allowed',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
];

async function socksTunnel(proxy: URL, { host, port }: TunnelTarget, timeoutMs: number): Promise<net.Socket> {
  const socket = net.connect({ ...targetOf(proxy), port: proxy.port === '' ? 1080 : Number(proxy.port) });
  const timer = setTimeout(
    () => socket.destroy(new Error(`proxy ${proxy.host} did not answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    socket.write(Uint8Array.of(5, 1, 0));
    const [version, method] = await read(socket, 2);
    if (version !== 5 || method !== 0) throw new Error(`proxy ${proxy.host} wants credentials`);
    const name = Buffer.from(host, 'utf8');
    socket.write(
      Buffer.concat([Uint8Array.of(5, 1, 0, 3, name.length), name, Uint8Array.of(port >> 8, port & 255)]),
    );
    const [, reply = 1, , addressType] = await read(socket, 4);
    if (reply !== 0) throw new Error(`proxy ${proxy.host}: ${replies[reply] ?? `reply ${reply}`}`);
    const addressBytes = addressType === 1 ? 4 : addressType === 4 ? 16 : ((await read(socket, 1))[0] ?? 0);
    await read(socket, addressBytes + 2);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The next bytes of a socket; rejects with its error or its end. */
function read(socket: net.Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void) => {
      socket.off('readable', onReadable).off('error', onError).off('close', onClose);
      settled();
    };
    const onReadable = () => {
      const bytes = socket.read(count) as Buffer | null;
      if (bytes !== null) settle(() => resolve(bytes));
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onClose = () => settle(() => reject(new Error('the proxy closed the connection')));
    socket.on('readable', onReadable).on('error', onError).on('close', onClose);
    onReadable();
  });
}
