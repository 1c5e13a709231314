import type { ApiError } from '#apimachinery/api-error.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { forbiddenError } from '../authz/attributes.ts';
import type { AuthorizationAttributes, Authorizer } from '../authz/authorizer.ts';
import type { ResourceRequest } from '../request/request-info.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import { parseServiceAccountUser } from './service-account-tokens.ts';

/** Who is asked for, as the headers say, without what the server adds. */
export interface Wanted {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** The verb that let the requester be somebody else: undefined for plain `impersonate`. */
export interface Impersonation {
  readonly constraint: string | undefined;
}

type ModeName = 'associated-node' | 'arbitrary-node' | 'serviceaccount' | 'user-info';

interface Mode {
  readonly name: ModeName;
  applies(wanted: Wanted, requester: UserInfo): boolean;
}

/** KEP-5284: the constrained modes in the order in which they are asked. */
const modes: readonly Mode[] = [
  {
    name: 'associated-node',
    applies: (wanted, requester) => {
      const node = isNameAlone(wanted) ? nodeOf(wanted.name) : undefined;
      if (node === undefined || parseServiceAccountUser(requester.name) === undefined) return false;
      const own = requester.extra.get(nodeNameExtra);
      return own?.length === 1 && own[0] === node;
    },
  },
  {
    name: 'arbitrary-node',
    applies: (wanted) => isNameAlone(wanted) && nodeOf(wanted.name) !== undefined,
  },
  {
    name: 'serviceaccount',
    applies: (wanted) => isNameAlone(wanted) && parseServiceAccountUser(wanted.name) !== undefined,
  },
  {
    name: 'user-info',
    applies: ({ name }) => nodeOf(name) === undefined && parseServiceAccountUser(name) === undefined,
  },
];

const authenticationGroup = 'authentication.k8s.io';
const nodePrefix = 'system:node:';
const nodeNameExtra = 'authentication.kubernetes.io/node-name';
const nodeKeysExtra = 'authentication.kubernetes.io/associated-node-keys';
/** From so many groups or extra values on, a right to all of them is looked for first. */
const manyValues = 4;

/**
 * Whether the requester may make this request in the other's name: by a constrained mode (`impersonate-on:<mode>:<verb>`
 * on what is requested and `impersonate:<mode>` on who is asked for; KEP-5284, on in 1.36), else by verb `impersonate`.
 * Throws the first mode's ApiError 403 when none allows it. `request` is what authorizers will be asked about the
 * request itself, with the requester as its user.
 */
export async function authorizeImpersonation(
  wanted: Wanted,
  request: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<Impersonation> {
  let first: ApiError | undefined;
  for (const mode of modes) {
    if (!mode.applies(wanted, request.user)) continue;
    const refusal = await refusalOf(mode.name, wanted, request, authorizer);
    if (refusal === undefined) return { constraint: `impersonate:${mode.name}` };
    first ??= refusal;
  }
  const refusal = await firstRefusal(questionsOf(wanted, ''), 'impersonate', request, authorizer);
  if (refusal !== undefined) throw first ?? refusal;
  return { constraint: undefined };
}

/** The node of a user name `system:node:<name>`. */
export function nodeOf(user: string): string | undefined {
  if (!user.startsWith(nodePrefix)) return undefined;
  const name = user.slice(nodePrefix.length);
  return dns1123Subdomain(name).length === 0 ? name : undefined;
}

async function refusalOf(
  mode: ModeName,
  wanted: Wanted,
  request: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<ApiError | undefined> {
  const user = mode === 'associated-node' ? withoutNodeExtras(request.user) : request.user;
  const asked = { ...request, user };
  const onRequest = { ...asked, verb: `impersonate-on:${mode}:${request.verb}` };
  const refusal = await refusalTo(onRequest, authorizer);
  if (refusal !== undefined) return refusal;
  const verb = `impersonate:${mode}`;
  const node = nodeOf(wanted.name);
  if (node !== undefined) {
    // A right to one's own node is a right that does not name it: it goes with the account to every node.
    const name = mode === 'associated-node' ? '*' : node;
    return firstRefusal(
      [question({ group: authenticationGroup, resource: 'nodes', name })],
      verb,
      asked,
      authorizer,
    );
  }
  return (
    (await firstRefusal(identityQuestions(wanted, authenticationGroup), verb, asked, authorizer)) ??
    (await refusalToGroups(wanted.groups, verb, asked, authorizer)) ??
    refusalToExtra(wanted.extra, verb, asked, authorizer)
  );
}

async function refusalToGroups(
  groups: readonly string[],
  verb: string,
  asked: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<ApiError | undefined> {
  const of = (name: string) => question({ group: authenticationGroup, resource: 'groups', name });
  if (groups.includes(systemMasters)) {
    const why = `impersonating the ${systemMasters} group is not allowed`;
    return forbiddenError({ ...asked, verb, resource: of(systemMasters) }, why);
  }
  if (groups.length >= manyValues) {
    if ((await firstRefusal([of('*')], verb, asked, authorizer)) === undefined) return undefined;
  }
  return firstRefusal(groups.map(of), verb, asked, authorizer);
}

async function refusalToExtra(
  extra: Wanted['extra'],
  verb: string,
  asked: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<ApiError | undefined> {
  const of = (subresource: string, name: string) =>
    question({ group: authenticationGroup, resource: 'userextras', subresource, name });
  let count = 0;
  for (const [key, values] of extra) {
    count += values.length;
    const why = faultOfExtra(key, values);
    if (why !== undefined) return forbiddenError({ ...asked, verb, resource: of('', '') }, why);
  }
  if (count >= manyValues || extra.size >= manyValues) {
    if ((await firstRefusal([of('*', '*')], verb, asked, authorizer)) === undefined) return undefined;
  }
  return firstRefusal(extraQuestions(extra), verb, asked, authorizer);
}

/** What plain impersonation lets pass and a constrained one does not. */
function faultOfExtra(key: string, values: readonly string[]): string | undefined {
  if (key === '') return 'impersonating the empty string key in extra is not allowed';
  const why = faultOfDomainPath(key);
  if (why !== undefined) return `impersonating an invalid key in extra is not allowed: ${why}`;
  return values.length === 0 ? 'impersonating empty values in extra is not allowed' : undefined;
}

function faultOfDomainPath(key: string): string | undefined {
  const invalid = (value: string, why: string) =>
    `extra.key: Invalid value: ${JSON.stringify(value)}: ${why}`;
  const slash = key.indexOf('/');
  if (slash <= 0 || slash === key.length - 1) {
    return invalid(key, 'must be a domain-prefixed path (such as "acme.io/foo")');
  }
  const [host, path] = [key.slice(0, slash), key.slice(slash + 1)];
  const faults = dns1123Subdomain(host).map((why) => invalid(host, why));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) {
    faults.push(
      invalid(path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"),
    );
  }
  if (faults.length === 0) return undefined;
  return faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`;
}

/** One question for each header's value, in Kubernetes' order; `group` is that of users and groups. */
function* questionsOf(wanted: Wanted, group: string): Generator<ResourceRequest> {
  yield* identityQuestions(wanted, group);
  for (const name of wanted.groups) yield question({ group, resource: 'groups', name });
  yield* extraQuestions(wanted.extra);
}

function* identityQuestions({ name, uid }: Wanted, group: string): Generator<ResourceRequest> {
  const account = parseServiceAccountUser(name);
  yield account === undefined
    ? question({ group, resource: 'users', name })
    : question({ group, resource: 'serviceaccounts', namespace: account.namespace, name: account.name });
  if (uid !== undefined) yield question({ group: authenticationGroup, resource: 'uids', name: uid });
}

function* extraQuestions(extra: Wanted['extra']): Generator<ResourceRequest> {
  for (const [subresource, values] of extra) {
    for (const name of values) {
      yield question({ group: authenticationGroup, resource: 'userextras', subresource, name });
    }
  }
}

function question(parts: Partial<ResourceRequest> & { resource: string; name: string }): ResourceRequest {
  return { group: '', version: 'v1', subresource: '', namespace: '', ...parts };
}

async function firstRefusal(
  questions: Iterable<ResourceRequest>,
  verb: string,
  { user, workspace }: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<ApiError | undefined> {
  for (const resource of questions) {
    const refusal = await refusalTo({ user, workspace, verb, resource, path: '' }, authorizer);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

async function refusalTo(
  attributes: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<ApiError | undefined> {
  const { decision, reason } = await authorizer.authorize(attributes);
  return decision === 'allow' ? undefined : forbiddenError(attributes, reason);
}

function isNameAlone({ uid, groups, extra }: Wanted): boolean {
  return uid === undefined && groups.length === 0 && extra.size === 0;
}

/**
 * An account on any node is the same to an authorizer that is asked about its own node. kcp's keys stay: they limit whom
 * the user counts as.
 */
function withoutNodeExtras(user: UserInfo): UserInfo {
  const extra = new Map([...user.extra].filter(([key]) => key.includes('kcp.io')));
  extra.set(nodeKeysExtra, [...user.extra.keys()].sort());
  return { ...user, extra };
}
