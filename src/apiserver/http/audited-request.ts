import { isIP } from 'node:net';
import type { AuditedRequest } from '../audit/audit.ts';
import type { UserInfo } from '../request/user.ts';
import type { Exchange } from './exchange.ts';

/** What the audit log tells of a request from its beginning on (KUBERNETES.md O3). */
export function auditedRequest(exchange: Exchange, user: UserInfo | undefined): AuditedRequest {
  const { request, info, auditId, startedAtMs } = exchange;
  return {
    auditId,
    requestUri: request.url ?? '/',
    info,
    user,
    sourceIps: sourceIpsOf(exchange),
    userAgent: request.headers['user-agent'],
    receivedAtMs: Date.now() - (performance.now() - startedAtMs),
  };
}

/**
 * What proxies say of where it came from, then the connection's own address, which alone cannot be made up
 * (`SourceIPs` of k8s.io/apimachinery/pkg/util/net).
 */
function sourceIpsOf({ request }: Exchange): string[] {
  const { headers } = request;
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',');
  const addresses = forwarded.map((text) => text.trim()).filter((text) => isIP(text) !== 0);
  const real = String(headers['x-real-ip'] ?? '');
  if (isIP(real) !== 0 && !addresses.includes(real)) addresses.push(real);
  const remote = request.socket?.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  if (remote !== undefined && addresses.at(-1) !== remote) addresses.push(remote);
  return addresses;
}
