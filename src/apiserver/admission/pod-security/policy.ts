import { type FieldError, invalid } from '#apimachinery/field-error.ts';

/** How much a pod may; each level refuses more than the one before. */
export type Level = 'privileged' | 'baseline' | 'restricted';

/** A level as some minor version of Kubernetes 1 had it; `latest`: as this server has it. */
export interface LevelVersion {
  readonly level: Level;
  readonly version: number | 'latest';
}

/** What a namespace asks of its pods (Pod Security Standards). */
export interface PodSecurityPolicy {
  /** Pods beyond it are refused. */
  readonly enforce: LevelVersion;
  /** Pods and templates beyond it are told in the audit log. */
  readonly audit: LevelVersion;
  /** Pods and templates beyond it are warned of. */
  readonly warn: LevelVersion;
}

const prefix = 'pod-security.kubernetes.io/';
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];
export const unrestricted: LevelVersion = { level: 'privileged', version: 'latest' };
const noPolicy: PodSecurityPolicy = { enforce: unrestricted, audit: unrestricted, warn: unrestricted };
const versionPattern = /^v1\.(0|[1-9][0-9]*)$/;

/**
 * The policy that a namespace's labels say, and what is wrong with them (source: PolicyToEvaluate of
 * k8s.io/pod-security-admission). A level that cannot be read is the strictest for `enforce`, none for the others.
 */
export function policyOf(labels: { readonly [key: string]: string } | undefined): {
  readonly policy: PodSecurityPolicy;
  readonly errors: readonly FieldError[];
} {
  if (!hasPolicy(labels)) return { policy: noPolicy, errors: [] };
  const errors: FieldError[] = [];
  const read = (mode: keyof PodSecurityPolicy): LevelVersion => {
    const asked = labels[`${prefix}${mode}`];
    const version = labels[`${prefix}${mode}-version`];
    let level: Level = 'privileged';
    if (asked !== undefined) {
      if (isLevel(asked)) level = asked;
      else {
        level = mode === 'enforce' ? 'restricted' : 'privileged';
        errors.push(labelError(mode, asked, `must be one of ${levels.join(', ')}`));
      }
    }
    const match = version === undefined ? undefined : versionPattern.exec(version);
    if (match === null && version !== 'latest')
      errors.push(labelError(`${mode}-version`, version!, 'must be "latest" or "v1.x"'));
    return { level, version: match == null ? 'latest' : Number(match[1]) };
  };
  const enforce = read('enforce');
  const audit = read('audit');
  const warn = read('warn');
  // Who enforces without saying of what to warn is to hear of templates whose pods would be refused.
  const warnsAnyway =
    labels[`${prefix}warn`] === undefined &&
    isLevel(labels[`${prefix}enforce`] ?? '') &&
    compareLevels(enforce.level, warn.level) > 0;
  if (!warnsAnyway) return { policy: { enforce, audit, warn }, errors };
  const version = labels[`${prefix}warn-version`] === undefined ? enforce.version : warn.version;
  return { policy: { enforce, audit, warn: { level: enforce.level, version } }, errors };
}

/** Whether any label is about pod security. */
export function hasPolicy(
  labels: { readonly [key: string]: string } | undefined,
): labels is { readonly [key: string]: string } {
  for (const key in labels) if (key.startsWith(prefix)) return true;
  return false;
}

function isLevel(text: string): text is Level {
  return (levels as readonly string[]).includes(text);
}

function labelError(mode: string, value: string, why: string): FieldError {
  return invalid(`metadata.labels[${prefix}${mode}]`, value, why);
}

/** Below, equal to or above zero: `a` refuses less than, as much as or more than `b`. */
export function compareLevels(a: Level, b: Level): number {
  return levels.indexOf(a) - levels.indexOf(b);
}

/** `restricted:latest`, `baseline:v1.30`. */
export function levelText({ level, version }: LevelVersion): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`;
}
