import type { ConnectionLimits } from '#client/remote/connection.ts';

/**
 * How long the tests' own calls may take: who waits for a condition ends with that, and a machine that stops a process for
 * seconds fails nothing.
 */
export const patient: Partial<ConnectionLimits> = { requestTimeoutMs: 120_000, connectTimeoutMs: 120_000 };
