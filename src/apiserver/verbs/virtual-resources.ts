import type { VirtualHandler } from '../authz/reviews.ts';
import { decodeKind, decodeObject } from './decode-body.ts';
import { parseWriteParameters } from './options.ts';
import { type ResourceHandler, targetOf } from './request.ts';

/** Serves a resource that is answered and never stored: its POST is decoded as any object, the answer is a 201. */
export function virtualResource(handler: VirtualHandler): ResourceHandler {
  return async (context, request) => {
    const target = targetOf(context);
    const { fieldValidation } = parseWriteParameters(context.info.query, 'CreateOptions');
    const object = decodeObject(request.body, { ...target, fieldValidation, warnings: context.warnings });
    return { type: 'object', code: 201, served: context.served, object: await handler(context, object) };
  };
}

/** The same for a subresource with a kind of its own, like `serviceaccounts/token`. */
export function virtualSubresource(
  handler: VirtualHandler,
  kind: { readonly group: string; readonly version: string; readonly kind: string },
): ResourceHandler {
  return async (context, request) => {
    parseWriteParameters(context.info.query, 'CreateOptions');
    const object = decodeKind(request.body, kind);
    return { type: 'object', code: 201, served: context.served, object: await handler(context, object) };
  };
}
