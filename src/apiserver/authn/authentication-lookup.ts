import { textAt } from '#api/builtin/read.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { equalJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import {
  authenticationConfigName,
  authenticationConfigNamespace,
  authenticationConfigKeys as keys,
} from '../aggregation/authentication-config-map.ts';
import type { RequestHeaderConfig } from './request-header.ts';

/** How the API server that is in front of this one knows its clients, and shows itself. */
export interface AuthenticationLookup {
  /** PEM of the authorities of its clients' certificates. */
  readonly clientCaPem: string | undefined;
  readonly requestHeader: RequestHeaderConfig | undefined;
}

const lookAgainMinMs = 1_000;
/** While it cannot be read: a server that starts again may show itself by another authority. */
const readAgainMaxMs = 5_000;
/** While it can be read and not watched. */
const lookAgainMaxMs = 60_000;
/** A watch that has lasted so long was one; a shorter one was refused. */
const watchedMs = 1_000;
const watchSeconds = 300;
const timeoutMs = 10_000;

const collection: CollectionRef = {
  cluster: undefined,
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: authenticationConfigNamespace,
};

/**
 * Reads ConfigMap kube-system/extension-apiserver-authentication of another API server (KUBERNETES.md O1): the server
 * that aggregates this one. Throws ApiError when it cannot be read, Error when its content is malformed.
 */
export async function lookUpAuthentication(client: KubeClient): Promise<AuthenticationLookup> {
  return lookupOf(await read(client));
}

function read(client: KubeClient): Promise<KubeObject | undefined> {
  return client
    .get({ ...collection, name: authenticationConfigName }, { timeoutMs })
    .catch((error: unknown) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
}

/** What is not there tells of nobody, as in k8s.io/apiserver (headerrequest/requestheader_controller.go deserializeStrings). */
function lookupOf(configMap: JsonValue | undefined): AuthenticationLookup {
  const text = (key: string) => textAt(configMap, 'data', key);
  const list = (key: string): readonly string[] => {
    if (text(key) === '') return [];
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
            allowedNames: list(keys.allowedNames),
            usernameHeaders: list(keys.usernameHeaders),
            uidHeaders: list(keys.uidHeaders),
            groupHeaders: list(keys.groupHeaders),
            extraHeaderPrefixes: list(keys.extraHeaderPrefixes),
          },
  };
}

/**
 * Keeps up with the ConfigMap by a watch: authorities that are renewed are known at once, as in API servers that are built on
 * k8s.io/apiserver (pkg/authentication/request/headerrequest). Where it cannot be watched it is read each minute. What cannot be
 * read is logged and leaves everything as it is; what is not there any more is believed no longer (decision 236). Returns how to
 * stop.
 */
export function followAuthentication(options: {
  /** A client for one watch, which is closed after it. */
  readonly open: () => Promise<KubeClient>;
  readonly known: AuthenticationLookup;
  readonly use: (lookup: AuthenticationLookup) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}): () => void {
  const { open, use, clock, logger } = options;
  let { known } = options;
  let failures = 0;
  let isRead = false;
  let timer: TimerHandle | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;
  const take = (configMap: KubeObject | undefined): void => {
    const found = lookupOf(configMap);
    if (equalJson(found as unknown as JsonObject, known as unknown as JsonObject)) return;
    use(found);
    known = found;
    logger.info({}, 'the aggregating API server has other authorities');
  };
  const follow = async (): Promise<void> => {
    const client = await open();
    try {
      const configMap = await read(client);
      if (signal.aborted) return;
      isRead = true;
      take(configMap);
      const events = client.watch(collection, {
        ...(configMap === undefined ? {} : { resourceVersion: configMap.metadata.resourceVersion }),
        fieldSelector: `metadata.name=${authenticationConfigName}`,
        timeoutSeconds: watchSeconds,
        signal,
      });
      for await (const event of events) {
        if (event.type === 'ADDED' || event.type === 'MODIFIED') take(event.object);
        if (event.type === 'DELETED') take(undefined);
      }
    } finally {
      await client.close();
    }
  };
  const run = async (): Promise<void> => {
    const sinceMs = clock.monotonic();
    let ended = true;
    isRead = false;
    try {
      await follow();
    } catch (error) {
      ended = false;
      if (!signal.aborted)
        logger.warn({ err: error }, 'the authorities of the aggregating API server cannot be read');
    }
    if (signal.aborted) return;
    failures = ended || clock.monotonic() - sinceMs > watchedMs ? 0 : failures + 1;
    arm(Math.min(isRead ? lookAgainMaxMs : readAgainMaxMs, lookAgainMinMs * 2 ** failures));
  };
  const arm = (delayMs: number): void => {
    timer = clock.setTimeout(() => void run(), delayMs).unref();
  };
  arm(0);
  return () => {
    stopping.abort();
    timer?.cancel();
  };
}
