import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { AuthorizationDecision } from '../authz/authorizer.ts';
import { renderEntry } from '../registry/conversion.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { decodeDocument, type RequestBody } from '../verbs/decode-body.ts';
import type { VerbResult } from '../verbs/result.ts';
import type { AuditSink } from './audit-log.ts';
import type { AuditDecision, AuditPolicy, AuditStage } from './audit-policy.ts';

/** What an audit event tells of a request that is known when it comes. */
export interface AuditedRequest {
  readonly auditId: string;
  /** As it came, with `/clusters/…` and query. */
  readonly requestUri: string;
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly sourceIps: readonly string[];
  readonly userAgent: string | undefined;
  readonly receivedAtMs: number;
}

/** Begins records for the requests that the policy wants to be told of (KUBERNETES.md O3). */
export class Auditor {
  readonly #policy: AuditPolicy;
  readonly #sink: AuditSink;
  readonly #now: () => number;

  constructor(policy: AuditPolicy, sink: AuditSink, now: () => number = Date.now) {
    this.#policy = policy;
    this.#sink = sink;
    this.#now = now;
  }

  /** Undefined for a request that is not to be told of. */
  begin(request: AuditedRequest): AuditRecord | undefined {
    const decision = this.#policy.decide(request.info, request.user);
    if (decision.level === 'None') return undefined;
    const record = new AuditRecord(request, decision, this.#sink, this.#now);
    record.stage('RequestReceived');
    return record;
  }

  close(): void | Promise<void> {
    return this.#sink.close();
  }
}

/** One request on its way; every member is called at most once, `complete` at its end. */
export class AuditRecord {
  readonly #request: AuditedRequest;
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
  #error: ApiError | undefined;
  #isComplete = false;

  constructor(request: AuditedRequest, decision: AuditDecision, sink: AuditSink, now: () => number) {
    this.#request = request;
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

  authorized({ decision, reason }: AuthorizationDecision): void {
    this.#annotations['authorization.k8s.io/decision'] = decision === 'allow' ? 'allow' : 'forbid';
    this.#annotations['authorization.k8s.io/reason'] = reason;
  }

  requestBody(body: RequestBody): void {
    const { level } = this.#decision;
    // The name of what is created stands in the body alone: a record of any level tells it.
    const namesObject = this.#request.info.resource?.name === '' && this.#request.info.verb === 'create';
    if (level === 'Metadata' && !namesObject) return;
    try {
      const { value } = decodeDocument(asJson(body), true);
      this.#identity = isJsonObject(value) && isJsonObject(value['metadata']) ? value['metadata'] : {};
      if (level !== 'Metadata') this.#requestObject = this.#tidied(value);
    } catch (error) {
      // A body that cannot be read is refused with 4xx; the record is still told, without it.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  result(result: VerbResult): void {
    if (this.#decision.level !== 'RequestResponse') return;
    this.#responseObject = this.#tidied(objectOf(result));
  }

  failed(error: ApiError): void {
    this.#error = error;
  }

  /** The headers of a watch are out. */
  responseStarted(code: number): void {
    this.stage('ResponseStarted', code);
  }

  complete(code: number): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
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
      user: userJson(user),
    };
    if (this.#impersonated !== undefined) event['impersonatedUser'] = userJson(this.#impersonated);
    if (this.#constraint !== undefined) {
      event['authenticationMetadata'] = { impersonationConstraint: this.#constraint };
    }
    if (sourceIps.length > 0) event['sourceIPs'] = [...sourceIps];
    if (userAgent !== undefined) event['userAgent'] = userAgent;
    const reference = this.#objectRef();
    if (reference !== undefined) event['objectRef'] = reference;
    if (code !== undefined) event['responseStatus'] = statusOf(code, this.#error);
    if (this.#requestObject !== undefined) event['requestObject'] = this.#requestObject;
    const response = this.#error?.toStatus() ?? this.#responseObject;
    if (response !== undefined && code !== undefined && level === 'RequestResponse') {
      event['responseObject'] = response;
    }
    event['requestReceivedTimestamp'] = microTime(receivedAtMs);
    event['stageTimestamp'] = microTime(this.#now());
    if (Object.keys(this.#annotations).length > 0) event['annotations'] = { ...this.#annotations };
    this.#sink.write(event);
  }

  #objectRef(): JsonObject | undefined {
    const { resource } = this.#request.info;
    if (resource === undefined) return undefined;
    const reference: JsonObject = { resource: resource.resource };
    if (resource.namespace !== '') reference['namespace'] = resource.namespace;
    const given = this.#identity;
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
    const { items } = value;
    if (Array.isArray(items)) return { ...value, items: items.map(withoutManagedFields) };
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

function objectOf(result: VerbResult): JsonValue | undefined {
  switch (result.type) {
    case 'entry':
      return JSON.parse(renderEntry(result.entry, result.served).toString('utf8')) as JsonValue;
    case 'object':
      return result.object;
    case 'encoded':
      return JSON.parse(result.body.toString('utf8')) as JsonValue;
    case 'status':
      return result.body;
    default:
      // A list is streamed while it is read, a watch has no one object: their events tell all but the content.
      return undefined;
  }
}

function statusOf(code: number, error: ApiError | undefined): JsonObject {
  if (error === undefined) return { metadata: {}, code };
  const { reason, message } = error;
  return { metadata: {}, status: 'Failure', message, reason, code };
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
