import { type ApiError, isApiError } from '#apimachinery/api-error.ts';
import { expiredAt } from '#client/certificate-expiry.ts';

/** Why a cell's edge cannot be used, as its Cell's conditions tell it. */
export interface EdgeProblem {
  /** CamelCase, for the condition. */
  readonly reason: string;
  readonly message: string;
  /** The edge answered; it is reached and yet of no use. */
  readonly reached: boolean;
}

/** A problem that is ours to name: no answer of the edge says it. */
export class CellProblem extends Error {
  override readonly name = 'CellProblem';
  readonly reason: string;
  readonly reached: boolean;

  constructor(
    reason: string,
    message: string,
    options: { readonly reached?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.reached = options.reached ?? false;
  }
}

/** Whether a call got no answer, unlike an answer that is an error: the client says so by the network error as cause. */
export function isUnanswered(error: unknown): error is ApiError {
  return isApiError(error, 'Timeout', 'ServiceUnavailable') && error.cause !== undefined;
}

/** The answer itself says no more than its reason. */
const refused = 'the edge API server does not accept the credentials of the Cell’s Secret';

/** `certificatePem`: the client certificate, if that is what the edge was shown; `nowMs`: the time. */
export function edgeProblemOf(
  error: unknown,
  {
    certificatePem,
    nowMs = 0,
  }: { readonly certificatePem?: string | undefined; readonly nowMs?: number } = {},
): EdgeProblem {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CellProblem) return { reason: error.reason, message, reached: error.reached };
  if (isUnanswered(error)) {
    const reason =
      error.reason === 'Timeout' ? 'EdgeTimeout' : (reasonOfCode(codeOf(error.cause)) ?? 'EdgeUnreachable');
    return { reason, message, reached: false };
  }
  if (isApiError(error, 'Unauthorized')) {
    const expired = expiredAt(certificatePem, nowMs);
    const why = expired === undefined ? '' : `: its client certificate expired at ${expired}`;
    return { reason: 'Unauthorized', message: refused + why, reached: true };
  }
  if (isApiError(error)) return { reason: error.reason, message, reached: true };
  return { reason: 'EdgeUnreachable', message, reached: false };
}

/** The code of the innermost network error that has one. */
function codeOf(error: unknown): string {
  let code = '';
  for (let at = error; at instanceof Error; at = at.cause) {
    code = (at as NodeJS.ErrnoException).code ?? code;
  }
  return code;
}

/** https://nodejs.org/docs/latest-v20.x/api/errors.html and OpenSSL's X509_V_ERR_*, as Node names them. */
function reasonOfCode(code: string): string | undefined {
  if (notTrusted.has(code)) return 'CertificateNotTrusted';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'AddressNotFound';
  if (code === 'ECONNREFUSED') return 'ConnectionRefused';
  if (connectionLost.has(code)) return 'ConnectionReset';
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_OSSL')) return 'TlsFailed';
  return undefined;
}

const notTrusted: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const connectionLost: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'ERR_HTTP2_STREAM_ERROR',
]);
