import type { JsonObject } from '#apimachinery/json.ts';
import type { ApiOperation, ApiPath } from './operations.ts';
import { pretty, type QueryParameter } from './parameters.ts';

/** How a version of OpenAPI writes what is on a path. */
export interface PathForm {
  readonly operation: (operation: ApiOperation) => JsonObject;
  readonly pathParameter: (name: string, description: string) => JsonObject;
  readonly queryParameter: (parameter: QueryParameter) => JsonObject;
}

/** The operations of a path, and the parameters that all of them have. */
export function pathItem(path: ApiPath, { operation, pathParameter, queryParameter }: PathForm): JsonObject {
  const item: JsonObject = {};
  for (const one of path.operations) item[one.method] = operation(one);
  const parameters: JsonObject[] = [];
  if (path.named) parameters.push(pathParameter('name', 'name of the object'));
  if (path.namespaced) parameters.push(pathParameter('namespace', 'namespace of the object'));
  if (path.operations.some((one) => one.action !== undefined)) parameters.push(queryParameter(pretty));
  if (parameters.length > 0) item['parameters'] = parameters;
  return item;
}
