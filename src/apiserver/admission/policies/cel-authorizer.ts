import { constantCost } from '#apimachinery/cel/functions/costs.ts';
import { FunctionTable } from '#apimachinery/cel/functions/registry.ts';
import { type CelType, opaqueNamed } from '#apimachinery/cel/types.ts';
import { CelFault, Opaque, type Value } from '#apimachinery/cel/values.ts';
import { dns1123Label, dns1123Subdomain } from '#apimachinery/names.ts';
import type { AuthorizationDecision, Authorizer } from '../../authz/authorizer.ts';
import type { UserInfo } from '../../request/user.ts';
import type { Workspace } from '../../workspace/workspace.ts';

export const authorizerType = opaqueNamed('kubernetes.authorization.Authorizer');
const pathCheckType = opaqueNamed('kubernetes.authorization.PathCheck');
const groupCheckType = opaqueNamed('kubernetes.authorization.GroupCheck');
const resourceCheckType = opaqueNamed('kubernetes.authorization.ResourceCheck');
const decisionType = opaqueNamed('kubernetes.authorization.Decision');

/** Two checks fit into one expression's cost. */
const checkCost = constantCost(350_000);

/**
 * An authorizer did not answer at once: whoever evaluates waits for `answer` and evaluates again. Expressions themselves
 * cannot wait.
 */
export class PendingDecision {
  readonly answer: Promise<void>;

  constructor(answer: Promise<void>) {
    this.answer = answer;
  }
}

/** What was asked and answered while one request is admitted. */
export type DecisionMemo = Map<string, AuthorizationDecision | Error>;

interface Subject {
  readonly authorizer: Authorizer;
  readonly workspace: Workspace;
  readonly user: UserInfo;
  readonly memo: DecisionMemo;
}

abstract class Check extends Opaque {
  readonly subject: Subject;

  constructor(subject: Subject) {
    super();
    this.subject = subject;
  }

  equals(other: Opaque): boolean {
    return this === other;
  }
}

/** The variable `authorizer`. */
export class CelAuthorizer extends Check {
  readonly type = authorizerType;

  withUser(user: UserInfo): CelAuthorizer {
    return new CelAuthorizer({ ...this.subject, user });
  }
}

class PathCheck extends Check {
  readonly type = pathCheckType;
  readonly path: string;

  constructor(subject: Subject, path: string) {
    super(subject);
    this.path = path;
  }
}

class GroupCheck extends Check {
  readonly type = groupCheckType;
  readonly group: string;

  constructor(subject: Subject, group: string) {
    super(subject);
    this.group = group;
  }
}

interface Resource {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

class ResourceCheck extends Check {
  readonly type = resourceCheckType;
  readonly resource: Resource;

  constructor(subject: Subject, resource: Resource) {
    super(subject);
    this.resource = resource;
  }

  with(change: Partial<Resource>): ResourceCheck {
    return new ResourceCheck(this.subject, { ...this.resource, ...change });
  }
}

class Decision extends Opaque {
  readonly type: CelType = decisionType;
  readonly decision: AuthorizationDecision | Error;

  constructor(decision: AuthorizationDecision | Error) {
    super();
    this.decision = decision;
  }

  equals(other: Opaque): boolean {
    return this === other;
  }
}

function decide(check: PathCheck | ResourceCheck, verb: string): Value {
  const { authorizer, workspace, user, memo } = check.subject;
  const target = check instanceof PathCheck ? check.path : check.resource;
  const key = JSON.stringify([user.name, user.groups, target, verb]);
  let known = memo.get(key);
  if (known === undefined) {
    const answer = authorizer.authorize({
      user,
      workspace,
      verb,
      path: check instanceof PathCheck ? check.path : '',
      resource: check instanceof PathCheck ? undefined : { version: '*', ...check.resource },
    });
    if (answer instanceof Promise) {
      throw new PendingDecision(
        answer.then(
          (decision) => void memo.set(key, decision),
          (error: unknown) => void memo.set(key, error instanceof Error ? error : new Error(String(error))),
        ),
      );
    }
    known = answer;
    memo.set(key, known);
  }
  return new Decision(known);
}

function serviceAccount(authorizer: CelAuthorizer, namespace: string, name: string): Value {
  if (dns1123Subdomain(name).length > 0) return new CelFault('Invalid service account name');
  if (dns1123Label(namespace).length > 0) return new CelFault('Invalid service account namespace');
  return authorizer.withUser({
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: new Map(),
  });
}

/** Kubernetes' authorization functions (apiserver/pkg/cel/library/authz.go). Selectors narrow nothing here: RBAC ignores them. */
export function authorizerFunctions(): FunctionTable {
  const [authorizer, path, group, resource, decision] = [
    authorizerType,
    pathCheckType,
    groupCheckType,
    resourceCheckType,
    decisionType,
  ].map(({ name }) => name);
  const table = new FunctionTable()
    .add([`${authorizer}->path(string) ${path}`], ([subject, text]) =>
      (text as string).trim() === ''
        ? new CelFault('path must not be empty')
        : new PathCheck((subject as CelAuthorizer).subject, text as string),
    )
    .add([`${authorizer}->group(string) ${group}`], ([subject, name]) => {
      return new GroupCheck((subject as CelAuthorizer).subject, name as string);
    })
    .add([`${authorizer}->serviceAccount(string, string) ${authorizer}`], ([subject, namespace, name]) =>
      serviceAccount(subject as CelAuthorizer, namespace as string, name as string),
    )
    .add([`${group}->resource(string) ${resource}`], ([check, name]) => {
      if ((name as string).trim() === '') return new CelFault('resource must not be empty');
      const { subject, group: of } = check as GroupCheck;
      return new ResourceCheck(subject, {
        group: of,
        resource: name as string,
        subresource: '',
        namespace: '',
        name: '',
      });
    })
    .add(
      [`${path}->check(string) ${decision}`],
      ([check, verb]) => decide(check as PathCheck, verb as string),
      checkCost,
    )
    .add(
      [`${resource}->check(string) ${decision}`],
      ([check, verb]) => decide(check as ResourceCheck, verb as string),
      checkCost,
    )
    .add([`${decision}->allowed() bool`], ([answer]) => {
      const given = (answer as Decision).decision;
      return !(given instanceof Error) && given.decision === 'allow';
    })
    .add([`${decision}->reason() string`], ([answer]) => {
      const given = (answer as Decision).decision;
      return given instanceof Error ? '' : given.reason;
    })
    .add([`${decision}->errored() bool`], ([answer]) => (answer as Decision).decision instanceof Error)
    .add([`${decision}->error() string`], ([answer]) => {
      const given = (answer as Decision).decision;
      return given instanceof Error ? given.message : '';
    });
  for (const part of ['subresource', 'namespace', 'name'] as const) {
    table.add([`${resource}->${part}(string) ${resource}`], ([check, text]) =>
      (check as ResourceCheck).with({ [part]: text as string }),
    );
  }
  for (const selector of ['fieldSelector', 'labelSelector']) {
    table.add([`${resource}->${selector}(string) ${resource}`], ([check]) => check as Value);
  }
  return table;
}

/** The variable `authorizer.requestResource`: the resource of the request itself. */
export function requestResourceCheck(authorizer: CelAuthorizer, resource: Resource): Value {
  return new ResourceCheck(authorizer.subject, resource);
}

export const requestResourceType = resourceCheckType;
