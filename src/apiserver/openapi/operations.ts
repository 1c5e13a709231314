import { returnsDeleted } from '#api/builtin/returned-deletions.ts';
import type { GroupVersionKind } from '#apimachinery/gvk.ts';
import type { Subresource, Verb } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';
import { protobufMediaType } from '../protobuf/protobuf.ts';
import { isCustomGroup, kindName, listName, metaNames, patchTypes } from './components.ts';
import { definitionName } from './kind-names.ts';
import {
  deleteParameters,
  force,
  listParameters,
  type QueryParameter,
  resourceVersion,
  writeParameters,
} from './parameters.ts';

type Method = 'get' | 'put' | 'post' | 'delete' | 'patch';

/** One operation, told once for both OpenAPI versions. */
export interface ApiOperation {
  readonly method: Method;
  readonly operationId: string;
  readonly description: string;
  readonly tag: string;
  /** `x-kubernetes-action`; undefined for discovery. */
  readonly action?: string | undefined;
  readonly kind?: GroupVersionKind | undefined;
  readonly query: readonly QueryParameter[];
  readonly body?: {
    readonly definition: string;
    readonly types: readonly string[];
    readonly required: boolean;
  };
  /** What it takes where it has no body; default: anything. */
  readonly consumes?: readonly string[] | undefined;
  readonly produces: readonly string[];
  readonly response: string;
  readonly codes: readonly number[];
}

export interface ApiPath {
  readonly path: string;
  readonly namespaced: boolean;
  readonly named: boolean;
  readonly operations: readonly ApiOperation[];
}

const json = ['application/json', 'application/yaml'];
/** Kubernetes' own kinds have protobuf beside JSON (KUBERNETES.md N2). */
const builtinTypes = {
  object: [...json, protobufMediaType],
  list: [...json, protobufMediaType, 'application/json;stream=watch', `${protobufMediaType};stream=watch`],
};
const otherTypes = { object: json, list: [...json, 'application/json;stream=watch'] };
const customTypes = { object: json, list: json };
const anyType = ['*/*'];

/** All paths of a group version, sorted (KUBERNETES.md D5). */
export function pathsOf(group: string, groupVersion: ApiGroupVersion): ApiPath[] {
  const base = group === '' ? `/api/${groupVersion.version}` : `/apis/${groupVersion.apiVersion}`;
  const paths = isCustomGroup(groupVersion) ? [] : [discoveryPath(base, group, groupVersion)];
  for (const served of groupVersion.resources) {
    const scope = new ResourceScope(base, group, served);
    paths.push(...scope.paths());
  }
  return paths.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function discoveryPath(base: string, group: string, { version, resources }: ApiGroupVersion): ApiPath {
  const name = camelGroup(group) + capital(version);
  const isBuiltin = resources.some(({ definition }) => definition.origin === 'builtin');
  const types = isBuiltin ? builtinTypes.object : json;
  const operation: ApiOperation = {
    method: 'get',
    operationId: `get${name}APIResources`,
    description: 'get available resources',
    tag: tagOf(group, version),
    query: [],
    consumes: types,
    produces: types,
    response: metaNames.resourceList,
    codes: [200],
  };
  return { path: `${base}/`, namespaced: false, named: false, operations: [operation] };
}

/** `networking.k8s.io` → `Networking`, `stable.example.com` → `StableExampleCom`; the core group is `Core`. */
function camelGroup(group: string): string {
  if (group === '') return 'Core';
  const short = group.endsWith('.k8s.io') ? group.slice(0, -'.k8s.io'.length) : group;
  return short.split(/[.-]/).map(capital).join('');
}

function tagOf(group: string, version: string): string {
  const first = camelGroup(group);
  return `${first.charAt(0).toLowerCase()}${first.slice(1)}_${version}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

type Target = { readonly subresource?: Subresource | undefined };

class ResourceScope {
  private readonly base: string;
  private readonly group: string;
  private readonly served: ServedResource;
  private readonly kind: GroupVersionKind;
  /** Of custom kinds another builder tells (apiextensions-apiserver, controller/openapi/builder). */
  private readonly isCustom: boolean;
  /** What its answers come in. */
  private readonly bodyTypes: readonly string[];
  private readonly types: { readonly object: readonly string[]; readonly list: readonly string[] };

  constructor(base: string, group: string, served: ServedResource) {
    this.base = base;
    this.group = group;
    this.served = served;
    this.kind = { group, version: served.version.version, kind: served.definition.kind };
    this.isCustom = served.definition.origin === 'custom';
    this.types =
      served.definition.origin === 'builtin' ? builtinTypes : this.isCustom ? customTypes : otherTypes;
    this.bodyTypes = this.isCustom ? json : anyType;
  }

  paths(): ApiPath[] {
    const { definition, version } = this.served;
    const { namespaced, resource } = definition;
    const root = namespaced ? `${this.base}/namespaces/{namespace}/${resource}` : `${this.base}/${resource}`;
    const result: ApiPath[] = [
      this.path(root, namespaced, false, this.collectionOperations()),
      this.path(`${root}/{name}`, namespaced, true, this.objectOperations(version.verbs, {})),
    ];
    if (namespaced && version.verbs.includes('list')) {
      result.push(this.path(`${this.base}/${resource}`, false, false, [this.list(true)]));
    }
    for (const subresource of version.subresources) {
      const operations = this.objectOperations(subresource.verbs, { subresource });
      result.push(this.path(`${root}/{name}/${subresource.name}`, namespaced, true, operations));
    }
    // As in Kubernetes: custom resources have these paths too, and do not tell.
    if (definition.origin === 'builtin' && version.verbs.includes('watch')) result.push(...this.watchPaths());
    return result.filter((one) => one.operations.length > 0);
  }

  /** KUBERNETES.md W7: paths from before the parameter `watch`. */
  private watchPaths(): ApiPath[] {
    const { namespaced, resource } = this.served.definition;
    const base = `${this.base}/watch`;
    const root = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`;
    const name = `${this.versionName()}${namespaced ? 'Namespaced' : ''}${this.kind.kind}`;
    const result = [
      this.path(root, namespaced, false, [this.watch('watchlist', `watch${name}List`)]),
      this.path(`${root}/{name}`, namespaced, true, [this.watch('watch', `watch${name}`)]),
    ];
    if (namespaced) {
      const all = `watch${this.versionName()}${this.kind.kind}ListForAllNamespaces`;
      result.push(this.path(`${base}/${resource}`, false, false, [this.watch('watchlist', all)]));
    }
    return result;
  }

  private watch(action: 'watch' | 'watchlist', operationId: string): ApiOperation {
    const what =
      action === 'watch' ? `one object of kind ${this.kind.kind}` : `objects of kind ${this.kind.kind}`;
    return {
      ...this.common('get', action, {}),
      operationId,
      description: `watch ${what}; deprecated, the parameter watch of a list does the same`,
      query: listParameters,
      produces: this.types.list,
      response: metaNames.watchEvent,
      codes: [200],
    };
  }

  private path(
    path: string,
    namespaced: boolean,
    named: boolean,
    operations: readonly ApiOperation[],
  ): ApiPath {
    return { path, namespaced, named, operations };
  }

  private collectionOperations(): ApiOperation[] {
    const { verbs } = this.served.version;
    const result: ApiOperation[] = [];
    if (verbs.includes('list')) result.push(this.list(false));
    if (verbs.includes('create')) result.push(this.create({}));
    if (verbs.includes('deletecollection')) result.push(this.deleteCollection());
    return result;
  }

  private list(allNamespaces: boolean): ApiOperation {
    const suffix = allNamespaces ? 'ForAllNamespaces' : '';
    return {
      ...this.common('get', 'list', {}),
      operationId: allNamespaces
        ? `list${this.versionName()}${this.kind.kind}${suffix}`
        : this.operationId('list', {}),
      description: `list or watch objects of kind ${this.kind.kind}`,
      query: listParameters,
      produces: this.types.list,
      response: listName(this.served),
      codes: [200],
    };
  }

  private create(target: Target): ApiOperation {
    const definition = this.definition(target);
    return {
      ...this.common('post', 'post', target),
      operationId: this.operationId('create', target),
      description: `create ${this.noun(target)}`,
      query: writeParameters,
      body: { definition, types: this.bodyTypes, required: true },
      response: definition,
      codes: [200, 201, 202],
    };
  }

  private deleteCollection(): ApiOperation {
    return {
      ...this.common('delete', 'deletecollection', {}),
      operationId: this.operationId('deleteCollection', {}),
      description: `delete collection of ${this.kind.kind}`,
      ...(this.isCustom ? { query: listParameters } : this.collectionOptions()),
      response: metaNames.status,
      codes: [200],
    };
  }

  private collectionOptions(): Pick<ApiOperation, 'query' | 'body'> {
    return {
      query: [...listParameters, ...deleteParameters].filter(
        (one, at, all) =>
          one.name !== 'watch' && one.name !== 'allowWatchBookmarks' && all.indexOf(one) === at,
      ),
      body: { definition: metaNames.deleteOptions, types: this.bodyTypes, required: false },
    };
  }

  private objectOperations(verbs: readonly Verb[], target: Target): ApiOperation[] {
    const result: ApiOperation[] = [];
    if (verbs.includes('get')) result.push(this.read(target));
    if (verbs.includes('update')) result.push(this.replace(target));
    if (target.subresource !== undefined && verbs.includes('create')) result.push(this.create(target));
    if (verbs.includes('delete')) result.push(this.remove(target));
    if (verbs.includes('patch')) result.push(this.patch(target));
    return result;
  }

  private read(target: Target): ApiOperation {
    return {
      ...this.common('get', 'get', target),
      operationId: this.operationId('read', target),
      description: `read ${this.part(target)}the specified ${this.kind.kind}`,
      query: this.isCustom ? [resourceVersion] : [],
      response: this.definition(target),
      codes: [200],
    };
  }

  private replace(target: Target): ApiOperation {
    const definition = this.definition(target);
    return {
      ...this.common('put', 'put', target),
      operationId: this.operationId('replace', target),
      description: `replace ${this.part(target)}the specified ${this.kind.kind}`,
      query: writeParameters,
      body: { definition, types: this.bodyTypes, required: true },
      response: definition,
      codes: [200, 201],
    };
  }

  private remove(target: Target): ApiOperation {
    return {
      ...this.common('delete', 'delete', target),
      operationId: this.operationId('delete', target),
      description: `delete ${this.noun(target)}`,
      query: deleteParameters,
      body: { definition: metaNames.deleteOptions, types: this.bodyTypes, required: false },
      response: returnsDeleted(this.served.definition) ? this.definition(target) : metaNames.status,
      codes: [200, 202],
    };
  }

  private patch(target: Target): ApiOperation {
    return {
      ...this.common('patch', 'patch', target),
      operationId: this.operationId('patch', target),
      description: `partially update ${this.part(target)}the specified ${this.kind.kind}`,
      query: [...writeParameters, force],
      body: { definition: metaNames.patch, types: patchTypes(this.served.definition), required: true },
      response: this.definition(target),
      codes: this.isCustom ? [200] : [200, 201],
    };
  }

  private common(method: Method, action: string, { subresource }: Target) {
    const kind: GroupVersionKind =
      subresource === undefined || this.isCustom
        ? this.kind
        : { group: subresource.group, version: subresource.version, kind: subresource.kind };
    return {
      method,
      action,
      kind,
      tag: tagOf(this.group, this.kind.version),
      consumes: this.bodyTypes,
      produces: this.types.object,
    };
  }

  private definition({ subresource }: Target): string {
    if (subresource === undefined) return kindName(this.served);
    const { group, version, kind } = subresource;
    return group === this.group && version === this.kind.version && kind === this.kind.kind
      ? kindName(this.served)
      : definitionName(subresource);
  }

  private versionName(): string {
    return camelGroup(this.group) + capital(this.kind.version);
  }

  /** `readAppsV1NamespacedDeploymentStatus` */
  private operationId(verb: string, { subresource }: Target): string {
    const scope = this.served.definition.namespaced ? 'Namespaced' : '';
    const part = subresource === undefined ? '' : capital(subresource.name);
    return collection(verb, `${this.versionName()}`, `${scope}${this.kind.kind}${part}`);
  }

  private part({ subresource }: Target): string {
    return subresource === undefined ? '' : `${subresource.name} of `;
  }

  private noun(target: Target): string {
    const { kind } = this.kind;
    const article = /^[AEIOU]/.test(kind) ? 'an' : 'a';
    return target.subresource === undefined
      ? `${article} ${kind}`
      : `${target.subresource.name} of ${article} ${kind}`;
  }
}

/** `deleteAppsV1CollectionNamespacedDeployment`: the word Collection stands behind the version. */
function collection(verb: string, version: string, rest: string): string {
  return verb === 'deleteCollection' ? `delete${version}Collection${rest}` : `${verb}${version}${rest}`;
}
