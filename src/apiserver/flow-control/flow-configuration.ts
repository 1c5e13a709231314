import type { KubeObject } from '#apimachinery/object.ts';
import { namespaceOf, type RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { catchAllName, exemptName } from './bootstrap-objects.ts';
import { type FlowSchema, matchesRequest, readFlowSchema, rulesFor } from './flow-schema.ts';
import { type PriorityLevel, readPriorityLevel } from './priority-level.ts';

/** Which schema and level a request falls under. One object for each schema: requests share it. */
export interface FlowClass {
  readonly schema: FlowSchema;
  readonly level: PriorityLevel;
}

interface UserClass {
  readonly flowClass: FlowClass;
  /** Those of the schema's rules that speak of the user. */
  readonly rules: ReturnType<typeof rulesFor>;
}

/**
 * FlowSchemas and PriorityLevelConfigurations that act together (KUBERNETES.md O2). Immutable; made anew when one of
 * them changes. A schema that names no existing level is left out, as in Kubernetes.
 */
export class FlowConfiguration {
  readonly levels: ReadonlyMap<string, PriorityLevel>;
  /** Of all levels together; at least 1. */
  readonly shares: number;
  /** In the order in which they are asked. */
  readonly #classes: readonly FlowClass[];
  readonly #catchAll: FlowClass;
  /** What speaks of a user is found once a user: connections and tokens keep theirs. */
  readonly #byUser = new WeakMap<UserInfo, readonly UserClass[]>();

  /** Both lists must hold the mandatory objects; of several with one name the last counts. */
  constructor(schemas: Iterable<KubeObject>, levels: Iterable<KubeObject>) {
    const byName = new Map<string, PriorityLevel>();
    for (const one of levels) {
      const level = readPriorityLevel(one);
      byName.set(level.name, level);
    }
    this.levels = byName;
    let shares = 0;
    for (const level of byName.values()) shares += level.shares;
    this.shares = Math.max(1, shares);
    const read = new Map<string, FlowSchema>();
    for (const one of schemas) {
      const schema = readFlowSchema(one);
      read.set(schema.name, schema);
    }
    const classes: FlowClass[] = [];
    for (const schema of read.values()) {
      const level = byName.get(schema.levelName);
      if (level !== undefined) classes.push({ schema, level });
    }
    classes.sort(inAskingOrder);
    const catchAll = classes.find(({ schema }) => schema.name === catchAllName);
    if (catchAll === undefined || !byName.has(exemptName))
      throw new Error('mandatory flow control is missing');
    this.#classes = classes;
    this.#catchAll = catchAll;
  }

  /** What nothing matches falls under catch-all. */
  classify(info: RequestInfo, user: UserInfo): FlowClass {
    let classes = this.#byUser.get(user);
    if (classes === undefined) {
      classes = this.#classesFor(user);
      this.#byUser.set(user, classes);
    }
    for (const { flowClass, rules } of classes) if (matchesRequest(rules, info)) return flowClass;
    return this.#catchAll;
  }

  #classesFor(user: UserInfo): UserClass[] {
    const classes: UserClass[] = [];
    for (const flowClass of this.#classes) {
      const rules = rulesFor(flowClass.schema, user);
      if (rules.length > 0) classes.push({ flowClass, rules });
    }
    return classes;
  }
}

/** What tells the flows of one schema apart: the user, the namespace, or nothing. */
export function distinguisherOf({ distinguisher }: FlowSchema, info: RequestInfo, user: UserInfo): string {
  if (distinguisher === 'ByUser') return user.name;
  if (distinguisher === undefined || info.resource === undefined) return '';
  return namespaceOf(info.resource);
}

function inAskingOrder(a: FlowClass, b: FlowClass): number {
  return a.schema.precedence - b.schema.precedence || (a.schema.name < b.schema.name ? -1 : 1);
}
