import { isJsonObject } from '#apimachinery/json.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import type { KubeClient } from '#client/client.ts';
import { UsageError } from './run-command.ts';

const reviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' };

/**
 * Throws a UsageError when the server takes whoever calls for somebody outside of the group. A server that is away, or does not
 * answer the question, is asked again until the signal fires; `onError` is told of each time.
 */
export async function confirmMember(
  client: Pick<KubeClient, 'create'>,
  group: string,
  { signal, onError }: { readonly signal: AbortSignal; readonly onError: (error: unknown) => void },
): Promise<void> {
  const review = await retry(
    () =>
      client
        .create(
          { cluster: 'root', gvr: reviews },
          { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} },
          { signal },
        )
        .catch((error: unknown) => {
          if (!signal.aborted) onError(error);
          throw error;
        }),
    { retryable: () => true, attemptsMax: Number.POSITIVE_INFINITY, signal },
  );
  const { status } = review as { readonly status?: unknown };
  const user = isJsonObject(status) ? status['userInfo'] : undefined;
  const { username = '', groups = [] } = isJsonObject(user) ? user : {};
  if (Array.isArray(groups) && groups.includes(group)) return;
  throw new UsageError(
    `the API server takes us for ${String(username)}, who is not of ${group}: --kubeconfig must be one of that group`,
  );
}
