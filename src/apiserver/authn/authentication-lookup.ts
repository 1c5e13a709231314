import { textAt } from '#api/builtin/read.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { equalJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import {
  authenticationConfigName,
  authenticationConfigNamespace,
  authenticationConfigKeys as keys,
} from '../aggregation/authentication-config-map.ts';
import { defaultRequestHeaders, type RequestHeaderConfig } from './request-header.ts';

/** How the API server that is in front of this one knows its clients, and shows itself. */
export interface AuthenticationLookup {
  /** PEM of the authorities of its clients' certificates. */
  readonly clientCaPem: string | undefined;
  readonly requestHeader: RequestHeaderConfig | undefined;
}

const lookAgainMs = 60_000;
const timeoutMs = 10_000;

/**
 * Reads ConfigMap kube-system/extension-apiserver-authentication of another API server (KUBERNETES.md O1): the server
 * that aggregates this one. Throws ApiError when it cannot be read, Error when its content is malformed.
 */
export async function lookUpAuthentication(client: KubeClient): Promise<AuthenticationLookup> {
  const configMap = await client
    .get(
      {
        cluster: undefined,
        gvr: { group: '', version: 'v1', resource: 'configmaps' },
        namespace: authenticationConfigNamespace,
        name: authenticationConfigName,
      },
      { timeoutMs },
    )
    .catch((error: unknown) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
  return lookupOf(configMap);
}

function lookupOf(configMap: JsonValue | undefined): AuthenticationLookup {
  const text = (key: string) => textAt(configMap, 'data', key);
  const list = (key: string, preset: readonly string[]): readonly string[] => {
    if (text(key) === '') return preset;
    const value: unknown = JSON.parse(text(key));
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) {
      throw new Error(`${authenticationConfigName}: ${key} is no list of texts`);
    }
    return value;
  };
  const requestHeaderCa = text(keys.requestHeaderCa);
  return {
    clientCaPem: text(keys.clientCa) || undefined,
    requestHeader:
      requestHeaderCa === ''
        ? undefined
        : {
            clientCaPem: requestHeaderCa,
            allowedNames: list(keys.allowedNames, []),
            usernameHeaders: list(keys.usernameHeaders, defaultRequestHeaders.usernameHeaders),
            uidHeaders: list(keys.uidHeaders, defaultRequestHeaders.uidHeaders),
            groupHeaders: list(keys.groupHeaders, defaultRequestHeaders.groupHeaders),
            extraHeaderPrefixes: list(keys.extraHeaderPrefixes, defaultRequestHeaders.extraHeaderPrefixes),
          },
  };
}

/**
 * Looks again every minute, so that renewed authorities are known before the old ones end. What cannot be read is logged
 * and leaves everything as it is. Returns how to stop.
 */
export function followAuthentication(options: {
  /** A client for one look, which is closed after it. */
  readonly open: () => Promise<KubeClient>;
  readonly known: AuthenticationLookup;
  readonly use: (lookup: AuthenticationLookup) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}): () => void {
  const { open, use, clock, logger } = options;
  let { known } = options;
  let stopped = false;
  let timer: TimerHandle;
  const look = async (): Promise<void> => {
    try {
      const client = await open();
      const found = await lookUpAuthentication(client).finally(() => client.close());
      if (stopped) return;
      if (!equalJson(found as unknown as JsonObject, known as unknown as JsonObject)) {
        use(found);
        known = found;
        logger.info({}, 'the aggregating API server has other authorities');
      }
    } catch (error) {
      if (!stopped)
        logger.warn({ err: error }, 'the authorities of the aggregating API server cannot be read');
    }
    if (!stopped) arm();
  };
  const arm = (): void => {
    timer = clock.setTimeout(() => void look(), lookAgainMs).unref();
  };
  arm();
  return () => {
    stopped = true;
    timer.cancel();
  };
}
