import type { Logger } from '#client/logger.ts';

/** One named check behind `/livez` and `/readyz`. */
export interface HealthCheck {
  readonly name: string;
  /** `livez`: whether a restart would help; `readyz`: whether requests should come here. A live check is in both. */
  readonly kind: 'livez' | 'readyz';
  /** Throws or rejects when it fails. Must not take long: it is asked at every probe. */
  check(): void | Promise<void>;
  /** Fails by intention, as while a server drains: no line for every probe. */
  readonly isIntended?: boolean;
}

export interface HealthAnswer {
  readonly code: number;
  readonly text: string;
}

const checkTimeoutMs = 10_000;

/**
 * KUBERNETES.md D8: `ok`, or every check with `?verbose` and on failure, the reasons only in the log; `?exclude=<name>`
 * leaves one out; `/livez/<name>` asks one. Undefined for a path that is no check.
 */
export async function answerHealth(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
  logger: Logger,
): Promise<HealthAnswer | undefined> {
  const [, endpoint = '', name, ...more] = path.split('/');
  if (more.length > 0 || !isEndpoint(endpoint)) return undefined;
  const group = checks.filter(({ kind }) => endpoint === 'readyz' || kind === 'livez');
  if (name !== undefined && name !== '') {
    const one = group.find((check) => check.name === name);
    if (one === undefined) return undefined;
    return run(endpoint, [one], new Set(), query.has('verbose'), logger, name);
  }
  return run(endpoint, group, new Set(query.getAll('exclude')), query.has('verbose'), logger);
}

function isEndpoint(text: string): text is 'healthz' | 'livez' | 'readyz' {
  return text === 'healthz' || text === 'livez' || text === 'readyz';
}

async function run(
  endpoint: string,
  checks: readonly HealthCheck[],
  excluded: Set<string>,
  verbose: boolean,
  logger: Logger,
  single?: string,
): Promise<HealthAnswer> {
  const lines: string[] = [];
  let failed = false;
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const error = await failureOf(check);
    if (error === undefined) {
      lines.push(`[+]${check.name} ok`);
    } else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
      if (check.isIntended !== true)
        logger.warn({ endpoint, check: check.name, err: error }, 'health check failed');
    }
  }
  if (excluded.size > 0) {
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((one) => JSON.stringify(one)).join(', ')}`,
    );
  }
  if (failed) {
    const text =
      single === undefined
        ? `${lines.join('\n')}\n${endpoint} check failed\n`
        : 'internal server error: reason withheld\n';
    return { code: 500, text };
  }
  return { code: 200, text: verbose ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok' };
}

async function failureOf(check: HealthCheck): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = check.check();
    if (result !== undefined) {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
        timer.unref();
      });
      await Promise.race([result, late]);
    }
    return undefined;
  } catch (error) {
    return error ?? new Error('failed');
  } finally {
    clearTimeout(timer);
  }
}

export const pingCheck: HealthCheck = { name: 'ping', kind: 'livez', check() {} };
