import { LRUCache } from 'lru-cache';
import { textAt } from '#api/builtin/read.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { RemoteApiService } from './api-service.ts';
import { aggregatorUser } from './availability.ts';
import { identityHeaders } from './identity-headers.ts';
import type { RemoteRequests } from './remote-requests.ts';

const timeoutMs = 5_000;
const bytesMax = 16 * 1024 * 1024;
/** All documents kept; the one unused longest is asked for anew. */
const keptBytesMax = 64 * 1024 * 1024;
/** How long a document is shown before its server is asked whether it still holds. */
const freshMs = 30_000;

interface Kept {
  readonly document: JsonObject | undefined;
  readonly etag: string | undefined;
  readonly bytes: number;
  readonly askedAtMs: number;
}

/**
 * OpenAPI documents of remote API servers (KUBERNETES.md O1), asked for when a client asks for ours, and kept. What
 * cannot be had is left out, and tried again after a while.
 */
export class RemoteDocuments {
  readonly #requests: RemoteRequests;
  readonly #clock: Clock;
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: keptBytesMax,
    sizeCalculation: ({ bytes }) => bytes + 256,
  });
  /** Bounded by the remotes of the workspaces whose clients are asking. */
  readonly #asking = new Map<string, Promise<JsonObject | undefined>>();

  constructor(requests: RemoteRequests, clock: Clock) {
    this.#requests = requests;
    this.#clock = clock;
  }

  /** `/openapi/v3/apis/<group>/<version>?hash=…` as the remote's index names it; undefined when it names none. */
  async v3Url(remote: RemoteApiService): Promise<string | undefined> {
    const index = await this.#get(remote, '/openapi/v3');
    const paths = index?.['paths'];
    const url = textAt(
      isJsonObject(paths) ? paths[`apis/${remote.group}/${remote.version}`] : undefined,
      'serverRelativeURL',
    );
    return url === '' ? undefined : url;
  }

  swagger(remote: RemoteApiService): Promise<JsonObject | undefined> {
    return this.#get(remote, '/openapi/v2');
  }

  #get(remote: RemoteApiService, path: string): Promise<JsonObject | undefined> {
    const { clusterId, service, caPem = '', skipsVerification } = remote;
    const key = JSON.stringify([clusterId, service, caPem, skipsVerification, path]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#clock.monotonic() - kept.askedAtMs < freshMs) {
      return Promise.resolve(kept.document);
    }
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(remote, path, key, kept).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #ask(
    remote: RemoteApiService,
    path: string,
    key: string,
    kept: Kept | undefined,
  ): Promise<JsonObject | undefined> {
    const headers = {
      ...identityHeaders(aggregatorUser),
      accept: 'application/json',
      ...(kept?.etag === undefined ? {} : { 'if-none-match': kept.etag }),
    };
    let document: JsonObject | undefined;
    let etag: string | undefined;
    let bytes = 0;
    try {
      const answer = await this.#requests.read(remote, path, { headers, timeoutMs, bytesMax });
      if (answer.status === 304) ({ document, etag, bytes } = kept ?? { document, etag, bytes });
      else if (answer.status === 200) {
        const value: unknown = JSON.parse(answer.body.toString('utf8'));
        document = isJsonObject(value) ? value : undefined;
        etag = answer.headers.etag;
        bytes = answer.body.length;
      }
    } catch {
      // A server that does not answer is told by its APIService's condition.
      ({ document, etag, bytes } = kept ?? { document, etag, bytes });
    }
    this.#kept.set(key, { document, etag, bytes, askedAtMs: this.#clock.monotonic() });
    return document;
  }
}
