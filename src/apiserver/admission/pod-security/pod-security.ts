import { objectAt, objectsAt, textAt } from '#api/builtin/read.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { invalidObject } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../../registry/stored-object.ts';
import { isInert } from '../../registry/target.ts';
import type { ResourceContext } from '../../request/context.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { namespaceLabels } from '../request-view.ts';
import { evaluatePod, findingsText } from './evaluate.ts';
import type { CheckedPod, Finding } from './findings.ts';
import {
  compareLevels,
  hasPolicy,
  type LevelVersion,
  levelText,
  type PodSecurityPolicy,
  policyOf,
  unrestricted,
} from './policy.ts';

/** Where kinds hold a pod's template: of these, violations are warned of and audited, never refused. */
const templates: { readonly [groupResource: string]: readonly string[] } = {
  '/podtemplates': ['template'],
  '/replicationcontrollers': ['spec', 'template'],
  'apps/daemonsets': ['spec', 'template'],
  'apps/deployments': ['spec', 'template'],
  'apps/replicasets': ['spec', 'template'],
  'apps/statefulsets': ['spec', 'template'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template'],
  'batch/jobs': ['spec', 'template'],
};

/** Subresources of pods that say nothing new of what a pod may. */
const ignoredSubresources: ReadonlySet<string> = new Set(['binding', 'eviction', 'status']);
/** Pods of a namespace that a stricter level is tried on. */
const podsMax = 3000;
const auditPrefix = 'pod-security.kubernetes.io/';
const enforcedAnnotation = `${auditPrefix}enforce-policy`;

/**
 * Kubernetes' PodSecurity (KUBERNETES.md A4): a namespace's labels say which of the Pod Security Standards its pods are
 * held to, of which to warn and which to audit. In cells, where pods are copies, edges decide.
 */
export class PodSecurity implements AdmissionPlugin {
  readonly name = 'PodSecurity';
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles({ context, operation, object }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || workspace === undefined) return false;
    const { definition } = served;
    if (definition.origin !== 'builtin' || isInert(workspace, definition)) return false;
    if (isPod(context)) {
      if (ignoredSubresources.has(subresource)) return false;
      if (this.#isAsked(context)) return true;
      context.annotate?.(enforcedAnnotation, levelText(unrestricted));
      return false;
    }
    if (subresource !== '') return false;
    if (isNamespace(context)) return hasPolicy(object?.metadata.labels);
    return templates[`${definition.group}/${definition.resource}`] !== undefined && this.#isAsked(context);
  }

  validate(attributes: AdmissionAttributes): undefined {
    const { context, object, oldObject } = attributes;
    if (object === undefined) return undefined;
    if (isNamespace(context)) {
      this.#checkNamespace(context, object, oldObject);
      return undefined;
    }
    const { policy } = policyOf(this.#labelsOf(context));
    if (!isPod(context)) {
      const template = templateOf(context, object);
      if (template !== undefined) tell(context, policy, checkedPod(template), false);
      return undefined;
    }
    if (oldObject !== undefined && !isSignificant(object, oldObject)) return undefined;
    const pod = checkedPod(object);
    const found = evaluatePod(policy.enforce, pod);
    context.annotate?.(enforcedAnnotation, levelText(policy.enforce));
    tell(context, policy, pod, found.length > 0);
    if (found.length > 0) {
      const why = `violates PodSecurity ${JSON.stringify(levelText(policy.enforce))}: ${findingsText(found)}`;
      throw forbidden(context.served.definition, object.metadata.name ?? '', why);
    }
    return undefined;
  }

  #isAsked(context: ResourceContext): boolean {
    return hasPolicy(this.#labelsOf(context));
  }

  #labelsOf(context: ResourceContext): { readonly [key: string]: string } | undefined {
    return namespaceLabels(context, undefined, this.#storage);
  }

  #checkNamespace(context: ResourceContext, namespace: KubeObject, old: KubeObject | undefined): void {
    const { policy, errors } = policyOf(namespace.metadata.labels);
    const before = old === undefined ? undefined : policyOf(old.metadata.labels);
    const name = namespace.metadata.name ?? '';
    const isKnown = before !== undefined && errorsEqual(errors, before.errors);
    if (errors.length > 0 && !isKnown) throw invalidObject(context.served.definition, name, errors);
    if (before === undefined) return;
    const { enforce } = policy;
    const former = before.policy.enforce;
    if (enforce.level === 'privileged') return;
    if (enforce.version === former.version && compareLevels(enforce.level, former.level) < 1) return;
    context.warnings.push(...this.#violations(context, name, enforce));
  }

  /** What existing pods would be refused for, each reason once with one of its pods. */
  #violations({ workspace }: ResourceContext, namespace: string, enforce: LevelVersion): string[] {
    const prefix = rangePrefix({ group: '', resource: 'pods' }, workspace!.id, namespace);
    const byReason = new Map<string, string[]>();
    const pods = prioritized([...this.#storage.snapshot(prefix).entries()].map((entry) => objectOf(entry)));
    for (const pod of pods.slice(0, podsMax)) {
      const found = evaluatePod(enforce, checkedPod(pod));
      if (found.length === 0) continue;
      const reason = reasonsText(found);
      const names = byReason.get(reason);
      if (names === undefined) byReason.set(reason, [pod.metadata.name ?? '']);
      else names.push(pod.metadata.name ?? '');
    }
    const warnings: string[] = [];
    if (pods.length > podsMax) {
      warnings.push(
        `new PodSecurity enforce level only checked against the first ${podsMax} of ${pods.length} existing pods`,
      );
    }
    if (byReason.size === 0) return warnings;
    const level = JSON.stringify(levelText(enforce));
    warnings.push(
      `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${level}`,
    );
    const told = [...byReason].map(([reason, names]) => `${namesText(names.sort())}: ${reason}`);
    return [...warnings, ...told.sort()];
  }
}

function isPod({ served: { definition } }: ResourceContext): boolean {
  return definition.resource === 'pods' && definition.group === '';
}

function isNamespace({ served: { definition } }: ResourceContext): boolean {
  return definition.resource === 'namespaces' && definition.group === '';
}

function templateOf({ served }: ResourceContext, object: KubeObject): JsonObject | undefined {
  const path = templates[`${served.definition.group}/${served.definition.resource}`] ?? [];
  return path.reduce<JsonObject | undefined>((at, field) => objectAt(at, field), object);
}

/** A pod, or a pod's template. */
function checkedPod(holder: JsonObject): CheckedPod {
  return {
    annotations: (objectAt(holder, 'metadata', 'annotations') ?? {}) as { [key: string]: string },
    spec: objectAt(holder, 'spec') ?? {},
  };
}

/** Audits, and, unless the pod is refused anyway, warns. */
function tell(
  context: ResourceContext,
  policy: PodSecurityPolicy,
  pod: CheckedPod,
  isRefused: boolean,
): void {
  const text = (level: LevelVersion) => {
    const found = evaluatePod(level, pod);
    if (found.length === 0) return undefined;
    return `would violate PodSecurity ${JSON.stringify(levelText(level))}: ${findingsText(found)}`;
  };
  if (context.annotate !== undefined) {
    const audited = text(policy.audit);
    if (audited !== undefined) context.annotate(`${auditPrefix}audit-violations`, audited);
  }
  const warned = isRefused ? undefined : text(policy.warn);
  if (warned !== undefined && !context.warnings.includes(warned)) context.warnings.push(warned);
}

/** Whether an update gives a pod other images or more containers: nothing else of it can change what it may. */
function isSignificant(pod: KubeObject, old: KubeObject): boolean {
  for (const list of ['containers', 'initContainers']) {
    const now = objectsAt(pod, 'spec', list);
    const then = objectsAt(old, 'spec', list);
    if (now.length !== then.length) return true;
    if (now.some((container, i) => textAt(container, 'image') !== textAt(then[i], 'image'))) return true;
  }
  const then = objectsAt(old, 'spec', 'ephemeralContainers');
  return objectsAt(pod, 'spec', 'ephemeralContainers').some((container) => {
    const known = then.find((one) => one['name'] === container['name']);
    return known === undefined || known['image'] !== container['image'];
  });
}

/** One pod of each controller first. */
function prioritized(pods: readonly KubeObject[]): KubeObject[] {
  const seen = new Set<string>();
  const first: KubeObject[] = [];
  const rest: KubeObject[] = [];
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find((one) => one.controller === true);
    if (owner !== undefined && seen.has(owner.uid)) rest.push(pod);
    else first.push(pod);
    if (owner !== undefined) seen.add(owner.uid);
  }
  return [...first, ...rest];
}

function reasonsText(found: readonly Finding[]): string {
  return found.map(({ reason }) => reason).join(', ');
}

function namesText([first = '', ...others]: readonly string[]): string {
  if (others.length === 0) return first;
  return others.length === 1 ? `${first} (and 1 other pod)` : `${first} (and ${others.length} other pods)`;
}

function errorsEqual(a: readonly object[], b: readonly object[]): boolean {
  return equalJson(a as unknown as JsonValue, b as unknown as JsonValue);
}
