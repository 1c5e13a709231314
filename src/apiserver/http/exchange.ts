import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { AuditRecord } from '../audit/audit.ts';
import type { FlowClass } from '../flow-control/flow-configuration.ts';
import type { Seat } from '../flow-control/flow-request.ts';
import type { ResourceContext } from '../request/context.ts';
import type { ParsedRequest } from '../request/parse-request-info.ts';
import { anonymousUser, type UserInfo } from '../request/user.ts';
import type { RequestBody } from '../verbs/request-body.ts';
import type { Workspace } from '../workspace/workspace.ts';

export type ServerRequest = IncomingMessage | Http2ServerRequest;
export type ServerReply = ServerResponse | Http2ServerResponse;

const defaultFieldManagerMax = 128;
const auditIdMax = 64;

/** A connection that asked for an upgrade, with what came behind its headers. */
export interface UpgradeTarget {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/**
 * One request with its response: what the stages of the chain share, and the context that verbs see. One object a
 * request, whatever is not always needed made at first use.
 */
export class Exchange implements ResourceContext {
  readonly request: ServerRequest;
  readonly response: ServerReply;
  readonly auditId: string;
  readonly startedAtMs = performance.now();
  /** From the request's first wait on (KUBERNETES.md E5). */
  timeoutMs = 0;
  /** When it began to be served, for writes of single objects: they have a limit of their own from there on. */
  writingSinceMs: number | undefined = undefined;
  /** In flow control's queues. */
  waitedMs = 0;
  /** Of the body that came, and of the one that went out, as they are on the wire. */
  receivedBytes = 0;
  sentBytes = 0;
  /** Its place among the requests that wait for something (`Deadlines`), and until when it may. */
  deadlineAt = -1;
  dueMs = 0;
  info!: ParsedRequest;
  user: UserInfo = anonymousUser;
  workspace: Workspace | undefined = undefined;
  served!: ServedResource;
  subresource = '';
  namespace = '';
  name = '';
  /** What flow control counts the request under (O2), once its user is known. */
  flow: FlowClass | undefined = undefined;
  /** Its place among the requests whose bodies are on their way (`Receiving`); -1: it is none of them. */
  receivingAt = -1;
  /** Whether its connection carried requests of its workspace alone of late. */
  isAlone = true;
  /** Connections of its workspace that waited unread when it came to flow control. */
  unread = 0;
  /** To be left when the request is served. */
  seat: Seat | undefined = undefined;
  /** Where the request is an item of a batch: the batch, and the body that came with it. */
  item: { readonly batch: Exchange; readonly body: RequestBody | undefined } | undefined = undefined;
  /** Where the request is audited. */
  audit: AuditRecord | undefined = undefined;
  /** Whether the connection was upgraded to a WebSocket or asks for it. */
  readonly wantsWebSocket: boolean;
  /** The connection below, when the request asks for another protocol on it. */
  upgrade: UpgradeTarget | undefined = undefined;
  #warnings: string[] | undefined;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(request: ServerRequest, response: ServerReply, wantsWebSocket = false) {
    this.request = request;
    this.response = response;
    this.wantsWebSocket = wantsWebSocket;
    const given = request.headers['audit-id'];
    this.auditId =
      typeof given === 'string' && given !== '' && given.length <= auditIdMax ? given : randomUUID();
  }

  get warnings(): string[] {
    this.#warnings ??= [];
    return this.#warnings;
  }

  annotate(key: string, value: string, fromLevel?: 'Request'): void {
    this.audit?.annotate(key, value, fromLevel);
  }

  get hasWarnings(): boolean {
    return this.#warnings !== undefined && this.#warnings.length > 0;
  }

  /** KUBERNETES.md C8: User-Agent up to the first slash. */
  get defaultFieldManager(): string {
    const agent = this.request.headers['user-agent'] ?? '';
    const slash = agent.indexOf('/');
    const name = (slash < 0 ? agent : agent.slice(0, slash)).slice(0, defaultFieldManagerMax);
    return name === '' ? 'unknown' : name;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason);
      else if (isClosed(this.response)) this.#abort.abort(clientGone);
      else this.response.once('close', () => this.abort(clientGone));
    }
    return this.#abort.signal;
  }

  /** Fires the signal, now or when it is first asked for. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#abort?.abort(reason);
  }

  /** Whether nobody is there any more to answer. */
  get isGone(): boolean {
    return isClosed(this.response) || this.response.writableEnded;
  }

  /** KUBERNETES.md O2: a connection that other workspaces' requests come over too is never left unread. */
  get parks(): boolean {
    return this.isAlone && this.upgrade === undefined && this.item === undefined;
  }

  get isHttp2(): boolean {
    return this.request.httpVersionMajor === 2;
  }
}

/** Whether the connection or stream below is gone; HTTP/2's response does not tell by itself. */
export function isClosed(response: ServerReply): boolean {
  return 'stream' in response ? response.stream.destroyed : response.destroyed;
}

const clientGone = new Error('the client closed the request');
