import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import { attributesOf } from '../authz/attributes.ts';
import type { AuthorizationDecision } from '../authz/authorizer.ts';
import type { RequestInfo, ResourceRequest } from '../request/request-info.ts';
import { anonymousUser, type UserInfo } from '../request/user.ts';
import { decodeDocument } from '../verbs/decode-body.ts';
import type { RequestBody } from '../verbs/request-body.ts';
import type { AuditSink } from './audit-log.ts';
import type { AuditDecision, AuditLevel, AuditPolicy, AuditStage } from './audit-policy.ts';

/** As in Kubernetes. */
const userAgentLengthMax = 1024;

/** What an audit event tells of a request that is known when it comes. */
export interface AuditedRequest {
  readonly auditId: string;
  /** As it came, with `/clusters/…` and query. */
  readonly requestUri: string;
  readonly info: RequestInfo;
  /** Undefined: nobody knows who asks. */
  readonly user: UserInfo | undefined;
  readonly sourceIps: readonly string[];
  readonly userAgent: string | undefined;
  readonly receivedAtMs: number;
}

/** Begins records for the requests that the policy wants to be told of (KUBERNETES.md O3). */
export class Auditor {
  readonly #policy: AuditPolicy;
  readonly #sink: AuditSink;
  readonly #now: () => number;
  readonly #requests = new Map<AuditLevel, number>();
  #events = 0;

  constructor(policy: AuditPolicy, sink: AuditSink, now: () => number = Date.now) {
    this.#policy = policy;
    this.#sink = {
      write: (event) => {
        this.#events++;
        sink.write(event);
      },
      losses: () => sink.losses(),
      close: () => sink.close(),
    };
    this.#now = now;
  }

  /** Undefined for a request that is not to be told of. */
  begin(request: AuditedRequest): AuditRecord | undefined {
    const record = this.#recordOf(request);
    record?.stage('RequestReceived');
    return record;
  }

  /**
   * A request whose credentials are nobody's: as by k8s.io/apiserver's WithFailedAuthenticationAudit, the beginning of
   * its answer is all that is told.
   */
  refused(request: AuditedRequest, error: ApiError): void {
    const record = this.#recordOf(request);
    record?.failed(error);
    record?.responseStarted(error.code);
  }

  #recordOf(request: AuditedRequest): AuditRecord | undefined {
    const { info, user } = request;
    // The name and namespace that authorizers are asked about are those that the record tells.
    const { resource } = attributesOf(info, user ?? anonymousUser, undefined);
    const decision = this.#policy.decide({ user, verb: info.verb, resource, path: info.path });
    this.#requests.set(decision.level, (this.#requests.get(decision.level) ?? 0) + 1);
    if (decision.level === 'None') return undefined;
    return new AuditRecord(request, resource, decision, this.#sink, this.#now);
  }

  /** Under the names of k8s.io/apiserver/pkg/audit's metrics. */
  render(text: MetricText): void {
    text.counter('apiserver_audit_event_total', 'Events that were handed on.', this.#events);
    for (const { plugin, lost } of this.#sink.losses()) {
      text.counter('apiserver_audit_error_total', 'Events that were not told.', lost, { plugin });
    }
    for (const [level, count] of this.#requests) {
      text.counter('apiserver_audit_level_total', 'Requests by level.', count, { level });
    }
  }

  close(): void | Promise<void> {
    return this.#sink.close();
  }
}

/** One request on its way; every member is called at most once, `complete` at its end. */
export class AuditRecord {
  readonly #request: AuditedRequest;
  readonly #resource: ResourceRequest | undefined;
  readonly #decision: AuditDecision;
  readonly #sink: AuditSink;
  readonly #now: () => number;
  readonly #annotations: { [key: string]: string } = {};
  #impersonated: UserInfo | undefined;
  #constraint: string | undefined;
  /** Metadata of the request's body. */
  #identity: JsonObject = {};
  #requestObject: JsonValue | undefined;
  #responseObject: JsonValue | undefined;
  /** The answer, where it is a Status. */
  #status: JsonObject | undefined;
  #isStarted = false;
  #isComplete = false;

  constructor(
    request: AuditedRequest,
    resource: ResourceRequest | undefined,
    decision: AuditDecision,
    sink: AuditSink,
    now: () => number,
  ) {
    this.#request = request;
    this.#resource = resource;
    this.#decision = decision;
    this.#sink = sink;
    this.#now = now;
  }

  workspace(path: string): void {
    this.#annotations['tenancy.kcp.io/workspace'] = path;
  }

  /**
   * What admission says of the request: keys as Kubernetes has them. The first word on a key counts. `fromLevel`: only
   * where the level tells bodies too.
   */
  annotate(key: string, value: string, fromLevel?: 'Request'): void {
    if (fromLevel === 'Request' && this.#decision.level === 'Metadata') return;
    this.#annotations[key] ??= value;
  }

  /** `constraint`: the verb of constrained impersonation that allowed it, when one did. */
  impersonated(user: UserInfo, constraint: string | undefined): void {
    this.#impersonated = user;
    this.#constraint = constraint;
  }

  authorized({ decision, reason, error }: AuthorizationDecision): void {
    if (decision !== 'allow' && error !== undefined) {
      this.#annotations['authorization.k8s.io/reason'] = 'internal error';
      return;
    }
    this.#annotations['authorization.k8s.io/decision'] = decision === 'allow' ? 'allow' : 'forbid';
    this.#annotations['authorization.k8s.io/reason'] = reason;
  }

  requestBody(body: RequestBody): void {
    const { level } = this.#decision;
    const { verb } = this.#request.info;
    // Which object is meant stands in the body too, which a record of any level tells; a patch is no object.
    const isObject = verb === 'create' || verb === 'update';
    if (level === 'Metadata' && !isObject) return;
    try {
      const { value } = decodeDocument(asJson(body), true);
      if (isObject && isJsonObject(value) && isJsonObject(value['metadata'])) {
        this.#identity = value['metadata'];
      }
      if (level !== 'Metadata') this.#requestObject = this.#tidied(value);
    } catch (error) {
      // A body that cannot be read is refused with 4xx; the record is still told, without it.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Whether the level tells what is answered. */
  get wantsResponse(): boolean {
    return this.#decision.level === 'RequestResponse';
  }

  /** What is answered, as JSON; ignored where the level does not tell it. */
  responseBody(document: JsonObject): void {
    if (this.wantsResponse) this.#responseObject = this.#tidied(document);
  }

  /** The body is larger than a record may be: the annotation is that of kube-apiserver's truncating backend. */
  responseTooLarge(): void {
    this.#annotations['audit.k8s.io/truncated'] = 'true';
  }

  /** The answer is a Status: at every level the record tells its outcome. */
  answeredStatus(status: JsonObject): void {
    this.#status = status;
    if (this.wantsResponse) this.#responseObject = status;
  }

  failed(error: ApiError): void {
    this.answeredStatus(error.toStatus());
  }

  /** The headers of a watch are out. */
  responseStarted(code: number): void {
    this.#isStarted = true;
    this.stage('ResponseStarted', code);
  }

  /** `isAnswered`: whether an answer was begun before the connection went. */
  complete(code: number, isAnswered = true): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    if (!isAnswered) this.#status = { status: 'Success', message: 'Connection closed early' };
    // A watch that is refused has both stages too.
    if (this.#request.info.verb === 'watch' && !this.#isStarted) this.responseStarted(code);
    this.stage('ResponseComplete', code);
  }

  stage(stage: AuditStage, code?: number): void {
    const { level, omitStages } = this.#decision;
    if (omitStages.has(stage)) return;
    const { auditId, requestUri, info, user, sourceIps, userAgent, receivedAtMs } = this.#request;
    const event: JsonObject = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level,
      auditID: auditId,
      stage,
      requestURI: requestUri,
      verb: info.verb,
      user: user === undefined ? {} : userJson(user),
    };
    if (this.#impersonated !== undefined) event['impersonatedUser'] = userJson(this.#impersonated);
    if (this.#constraint !== undefined) {
      event['authenticationMetadata'] = { impersonationConstraint: this.#constraint };
    }
    if (sourceIps.length > 0) event['sourceIPs'] = [...sourceIps];
    if (userAgent !== undefined) event['userAgent'] = truncated(userAgent);
    const reference = this.#objectRef();
    if (reference !== undefined) event['objectRef'] = reference;
    if (code !== undefined) event['responseStatus'] = statusOf(code, this.#status);
    if (this.#requestObject !== undefined) event['requestObject'] = this.#requestObject;
    if (this.#responseObject !== undefined && code !== undefined) {
      event['responseObject'] = this.#responseObject;
    }
    event['requestReceivedTimestamp'] = microTime(receivedAtMs);
    event['stageTimestamp'] = microTime(stage === 'RequestReceived' ? receivedAtMs : this.#now());
    if (Object.keys(this.#annotations).length > 0) event['annotations'] = { ...this.#annotations };
    this.#sink.write(event);
  }

  #objectRef(): JsonObject | undefined {
    const resource = this.#resource;
    if (resource === undefined) return undefined;
    const reference: JsonObject = { resource: resource.resource };
    const given = this.#identity;
    const namespace = resource.namespace !== '' ? resource.namespace : given['namespace'];
    if (typeof namespace === 'string' && namespace !== '') reference['namespace'] = namespace;
    const name = resource.name !== '' ? resource.name : given['name'];
    if (typeof name === 'string' && name !== '') reference['name'] = name;
    if (typeof given['uid'] === 'string') reference['uid'] = given['uid'];
    if (resource.group !== '') reference['apiGroup'] = resource.group;
    reference['apiVersion'] = resource.version;
    if (typeof given['resourceVersion'] === 'string') reference['resourceVersion'] = given['resourceVersion'];
    if (resource.subresource !== '') reference['subresource'] = resource.subresource;
    return reference;
  }

  #tidied(value: JsonValue | undefined): JsonValue | undefined {
    if (!this.#decision.omitManagedFields || !isJsonObject(value)) return value;
    const { items, rows } = value;
    if (Array.isArray(items)) return { ...value, items: items.map(withoutManagedFields) };
    if (value['kind'] === 'Table' && Array.isArray(rows)) return { ...value, rows: rows.map(tidiedRow) };
    return withoutManagedFields(value);
  }
}

/** Patches have media types of their own and are JSON, but for apply, which is YAML. */
function asJson(body: RequestBody): RequestBody {
  if (!('bytes' in body)) return body;
  const { contentType, bytes } = body;
  if (contentType.startsWith('application/apply-patch')) return { contentType: 'application/yaml', bytes };
  return /patch\+json/.test(contentType) ? { contentType: 'application/json', bytes } : body;
}

function withoutManagedFields(value: JsonValue): JsonValue {
  if (!isJsonObject(value) || !isJsonObject(value['metadata'])) return value;
  const { managedFields: _none, ...metadata } = value['metadata'];
  return { ...value, metadata };
}

function tidiedRow(row: JsonValue): JsonValue {
  if (!isJsonObject(row) || row['object'] === undefined) return row;
  return { ...row, object: withoutManagedFields(row['object']) };
}

/** Of a Status that was answered, what is bounded (AuditContext.LogResponseObject of k8s.io/apiserver). */
function statusOf(code: number, answered: JsonObject | undefined): JsonObject {
  const told: JsonObject = { metadata: {} };
  for (const field of ['status', 'message', 'reason', 'details']) {
    const value = answered?.[field];
    if (value !== undefined) told[field] = value;
  }
  told['code'] = code;
  return told;
}

function truncated(userAgent: string): string {
  if (userAgent.length <= userAgentLengthMax) return userAgent;
  return `${userAgent.slice(0, userAgentLengthMax)}...TRUNCATED`;
}

function userJson({ name, uid, groups, extra }: UserInfo): JsonObject {
  const user: JsonObject = { username: name };
  if (uid !== undefined && uid !== '') user['uid'] = uid;
  if (groups.length > 0) user['groups'] = [...groups];
  if (extra.size > 0)
    user['extra'] = Object.fromEntries([...extra].map(([key, values]) => [key, [...values]]));
  return user;
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
