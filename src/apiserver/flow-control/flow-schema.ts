import { booleanAt, numberAt, objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { serviceAccountUserPrefix } from '../authz/effective-users.ts';
import { namespaceOf, type RequestInfo, type ResourceRequest } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';

/** A FlowSchema made ready to be asked (KUBERNETES.md O2). */
export interface FlowSchema {
  readonly name: string;
  readonly uid: string;
  readonly levelName: string;
  /** Lower goes first; equal ones go by name. */
  readonly precedence: number;
  readonly distinguisher: 'ByUser' | 'ByNamespace' | undefined;
  readonly rules: readonly FlowRule[];
}

interface FlowRule {
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  /** User name prefixes of namespaces whose service accounts all match. */
  readonly accountPrefixes: readonly string[];
  readonly resources: readonly ResourceRule[];
  readonly urls: readonly UrlRule[];
}

interface ResourceRule {
  readonly verbs: Names;
  readonly groups: Names;
  readonly resources: Names;
  readonly namespaces: Names;
  readonly clusterScope: boolean;
}

interface UrlRule {
  readonly verbs: Names;
  readonly paths: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** `undefined` stands for `*`. */
type Names = ReadonlySet<string> | undefined;

const precedenceDefault = 1_000;

/** Reads a FlowSchema of any version; what is malformed in it matches nothing. */
export function readFlowSchema(object: KubeObject): FlowSchema {
  const method = textAt(object, 'spec', 'distinguisherMethod', 'type');
  return {
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
    levelName: textAt(object, 'spec', 'priorityLevelConfiguration', 'name'),
    precedence: numberAt(object, 'spec', 'matchingPrecedence') ?? precedenceDefault,
    distinguisher: method === 'ByUser' || method === 'ByNamespace' ? method : undefined,
    rules: objectsAt(object, 'spec', 'rules').map(readRule),
  };
}

function readRule(rule: JsonObject): FlowRule {
  const users = new Set<string>();
  const groups = new Set<string>();
  const accountPrefixes: string[] = [];
  for (const subject of objectsAt(rule, 'subjects')) {
    switch (subject['kind']) {
      case 'User':
        users.add(textAt(subject, 'user', 'name'));
        break;
      case 'Group':
        groups.add(textAt(subject, 'group', 'name'));
        break;
      case 'ServiceAccount': {
        const name = textAt(subject, 'serviceAccount', 'name');
        const prefix = `${serviceAccountUserPrefix}${textAt(subject, 'serviceAccount', 'namespace')}:`;
        if (name === '*') accountPrefixes.push(prefix);
        else users.add(`${prefix}${name}`);
        break;
      }
    }
  }
  return {
    users,
    groups,
    accountPrefixes,
    resources: objectsAt(rule, 'resourceRules').map((one) => ({
      verbs: namesOf(one, 'verbs'),
      groups: namesOf(one, 'apiGroups'),
      resources: namesOf(one, 'resources'),
      namespaces: namesOf(one, 'namespaces'),
      clusterScope: booleanAt(one, 'clusterScope') === true,
    })),
    urls: objectsAt(rule, 'nonResourceRules').map((one) => {
      const urls = textsAt(one, 'nonResourceURLs');
      return {
        verbs: namesOf(one, 'verbs'),
        paths: new Set(urls.filter((url) => !url.endsWith('*'))),
        prefixes: urls.filter((url) => url.endsWith('*')).map((url) => url.slice(0, -1)),
      };
    }),
  };
}

/** The rules of a schema that speak of this user at all: the same for all of a user's requests. */
export function rulesFor(schema: FlowSchema, user: UserInfo): readonly FlowRule[] {
  return schema.rules.filter((rule) => speaksOf(rule, user));
}

/** Whether one of the rules, all of which speak of the request's user, speaks of what is asked for. */
export function matchesRequest(rules: readonly FlowRule[], { resource, verb, path }: RequestInfo): boolean {
  for (const rule of rules) {
    if (resource === undefined) {
      for (const url of rule.urls) if (matchesUrl(url, verb, path)) return true;
    } else {
      for (const one of rule.resources) if (matchesResource(one, verb, resource)) return true;
    }
  }
  return false;
}

function speaksOf({ users, groups, accountPrefixes }: FlowRule, user: UserInfo): boolean {
  if (users.has(user.name) || users.has('*') || groups.has('*')) return true;
  if (user.groups.some((group) => groups.has(group))) return true;
  return accountPrefixes.some((prefix) => user.name.startsWith(prefix));
}

function matchesResource(rule: ResourceRule, verb: string, request: ResourceRequest): boolean {
  const { group, resource, subresource } = request;
  if (!has(rule.verbs, verb) || !has(rule.groups, group)) return false;
  if (!has(rule.resources, subresource === '' ? resource : `${resource}/${subresource}`)) return false;
  const namespace = namespaceOf(request);
  return namespace === '' ? rule.clusterScope : has(rule.namespaces, namespace);
}

function matchesUrl({ verbs, paths, prefixes }: UrlRule, verb: string, path: string): boolean {
  if (!has(verbs, verb)) return false;
  return paths.has(path) || prefixes.some((prefix) => path.startsWith(prefix));
}

function has(names: Names, name: string): boolean {
  return names === undefined || names.has(name);
}

function namesOf(from: JsonObject, field: string): Names {
  const names = textsAt(from, field);
  return names.includes('*') ? undefined : new Set(names);
}
