import type { ResourceContext } from './context.ts';

/**
 * The context of a request that another one stands for: the same but for what is given. Spread, a context would lose what
 * it makes when that is first asked for (signal, warnings), since those are no fields of its own.
 */
export function derivedContext(
  context: ResourceContext,
  { served = context.served, name = context.name }: Partial<Pick<ResourceContext, 'served' | 'name'>>,
): ResourceContext {
  return {
    info: context.info,
    user: context.user,
    workspace: context.workspace,
    auditId: context.auditId,
    defaultFieldManager: context.defaultFieldManager,
    get signal() {
      return context.signal;
    },
    get warnings() {
      return context.warnings;
    },
    annotate: (key, value, fromLevel) => context.annotate?.(key, value, fromLevel),
    served,
    subresource: context.subresource,
    namespace: context.namespace,
    name,
  };
}
