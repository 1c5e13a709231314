import type { JsonObject } from '#apimachinery/json.ts';
import { labelValue } from '#apimachinery/names.ts';
import { objectsAt, textAt, textsAt } from '../read.ts';

/** Labels of nodes that have a newer name, and what users are told of them (source: Kubernetes' pkg/api/node). */
const deprecatedNodeLabels: { readonly [label: string]: string } = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region':
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone':
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type':
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods':
    'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

/** What is told of a label of nodes that has a newer name; undefined of any other. */
export function nodeLabelWarning(label: string): string | undefined {
  return Object.hasOwn(deprecatedNodeLabels, label) ? deprecatedNodeLabels[label] : undefined;
}

/** Of a NodeSelectorTerm at `path`; values are looked at where validation does not (a preference's). */
export function nodeTermWarnings(path: string, term: JsonObject, checksValues: boolean): string[] {
  const warnings: string[] = [];
  objectsAt(term, 'matchExpressions').forEach((expression, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    const key = textAt(expression, 'key');
    const why = nodeLabelWarning(key);
    if (why !== undefined) warnings.push(`${at}.key: ${key} is ${why}`);
    if (!checksValues) return;
    textsAt(expression, 'values').forEach((value, j) => {
      for (const wrong of labelValue(value)) {
        warnings.push(`${at}.values[${j}]: ${value} is invalid, ${wrong}`);
      }
    });
  });
  return warnings;
}
