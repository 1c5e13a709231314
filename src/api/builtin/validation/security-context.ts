import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooLong,
} from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkDescendingPath, checkName, checkOptionalChoice, type Errors } from './common.ts';

/** Security contexts of pods and containers (source: core/validation ValidateSecurityContext and the like). */

const idMax = 2_147_483_647;
const idText = `must be between 0 and ${idMax}, inclusive`;

function checkIds(errors: Errors, path: string, context: JsonObject, fields: readonly string[]): void {
  for (const field of fields) {
    const id = numberAt(context, field);
    if (id !== undefined) checkId(errors, `${path}.${field}`, id);
  }
}

function checkId(errors: Errors, field: string, id: number | undefined): void {
  if (id !== undefined && (id < 0 || id > idMax)) errors.push(invalid(field, id, idText));
}

export function checkPodSecurityContext(errors: Errors, path: string, spec: JsonObject): void {
  const context = objectAt(spec, 'securityContext');
  if (context === undefined) return;
  checkIds(errors, path, context, ['fsGroup', 'runAsUser', 'runAsGroup']);
  const groups = valueAt(context, 'supplementalGroups');
  if (Array.isArray(groups)) {
    groups.forEach((group, i) => {
      if (typeof group === 'number') checkId(errors, `${path}.supplementalGroups[${i}]`, group);
    });
  }
  if (booleanAt(spec, 'shareProcessNamespace') === true && booleanAt(spec, 'hostPID') === true) {
    errors.push(
      invalid(
        `${path}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  }
  checkSysctls(errors, `${path}.sysctls`, context, spec);
  checkOptionalChoice(errors, `${path}.fsGroupChangePolicy`, valueAt(context, 'fsGroupChangePolicy'), [
    'Always',
    'OnRootMismatch',
  ]);
  checkSeccomp(errors, `${path}.seccompProfile`, objectAt(context, 'seccompProfile'));
  checkAppArmor(errors, `${path}.appArmorProfile`, objectAt(context, 'appArmorProfile'));
  checkWindowsOptions(errors, `${path}.windowsOptions`, objectAt(context, 'windowsOptions'));
  checkOptionalChoice(
    errors,
    `${path}.supplementalGroupsPolicy`,
    valueAt(context, 'supplementalGroupsPolicy'),
    ['Merge', 'Strict'],
  );
  checkOptionalChoice(
    errors,
    `${path}.seLinuxChangePolicy`,
    valueAt(context, 'seLinuxChangePolicy'),
    seLinuxPolicies,
  );
}

/** MountOption is behind a gate that is off (SELinuxMount). */
const seLinuxPolicies = ['Recursive'];

export function checkContainerSecurityContext(
  errors: Errors,
  path: string,
  context: JsonObject | undefined,
  hostUsers: boolean,
): void {
  if (context === undefined) return;
  checkIds(errors, path, context, ['runAsUser', 'runAsGroup']);
  const procMount = valueAt(context, 'procMount');
  checkOptionalChoice(errors, `${path}.procMount`, procMount, ['Default', 'Unmasked']);
  if (hostUsers && procMount === 'Unmasked') {
    errors.push(invalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  checkSeccomp(errors, `${path}.seccompProfile`, objectAt(context, 'seccompProfile'));
  if (booleanAt(context, 'allowPrivilegeEscalation') === false) {
    if (booleanAt(context, 'privileged') === true) {
      errors.push(
        invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      );
    }
    if (textsAt(context, 'capabilities', 'add').includes('CAP_SYS_ADMIN')) {
      errors.push(
        invalid(
          path,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      );
    }
  }
  checkWindowsOptions(errors, `${path}.windowsOptions`, objectAt(context, 'windowsOptions'));
  checkAppArmor(errors, `${path}.appArmorProfile`, objectAt(context, 'appArmorProfile'));
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function checkSeccomp(errors: Errors, path: string, profile: JsonObject | undefined): void {
  if (profile === undefined) return;
  const type = textAt(profile, 'type');
  const local = valueAt(profile, 'localhostProfile');
  if (type === '') errors.push(required(`${path}.type`, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  if (type === 'Localhost') {
    if (local === undefined) {
      errors.push(required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost'));
    } else checkDescendingPath(errors, `${path}.localhostProfile`, textAt(profile, 'localhostProfile'));
  } else if (local !== undefined) {
    errors.push(
      invalid(`${path}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost'),
    );
  }
}

/** PATH_MAX less its terminator. */
const localProfileBytesMax = 4095;

function checkAppArmor(errors: Errors, path: string, profile: JsonObject | undefined): void {
  if (profile === undefined) return;
  const type = textAt(profile, 'type');
  const local = valueAt(profile, 'localhostProfile');
  switch (type) {
    case 'Localhost': {
      const name = textAt(profile, 'localhostProfile');
      const missing = required(`${path}.localhostProfile`, 'must be set when AppArmor type is Localhost');
      if (local === undefined) errors.push(missing);
      else if (name.trim() !== name) {
        errors.push(invalid(`${path}.localhostProfile`, name, 'must not be padded with whitespace'));
      } else if (name === '') errors.push(missing);
      if (Buffer.byteLength(name) > localProfileBytesMax) {
        errors.push(tooLong(`${path}.localhostProfile`, localProfileBytesMax));
      }
      return;
    }
    case 'RuntimeDefault':
    case 'Unconfined':
      if (local !== undefined) {
        errors.push(
          invalid(`${path}.localhostProfile`, local, 'can only be set when AppArmor type is Localhost'),
        );
      }
      return;
    case '':
      errors.push(required(`${path}.type`, 'type is required when appArmorProfile is set'));
      return;
    default:
      errors.push(notSupported(`${path}.type`, type, profileTypes));
  }
}

const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlBytesMax = 253;

function checkSysctls(errors: Errors, path: string, context: JsonObject, spec: JsonObject): void {
  const sysctls = objectsAt(context, 'sysctls');
  if (sysctls.length === 0) return;
  const seen = new Set<string>();
  sysctls.forEach((sysctl, i) => {
    const at = `${path}[${i}].name`;
    const name = textAt(sysctl, 'name');
    if (name === '') errors.push(required(at));
    else if (name.length > sysctlBytesMax || !sysctlPattern.test(name)) {
      errors.push(
        invalid(
          at,
          name,
          `must have at most ${sysctlBytesMax} characters and match regex ${sysctlGoPattern}`,
        ),
      );
    } else if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    const dotted = name.replaceAll('/', '.');
    if (booleanAt(spec, 'hostNetwork') === true && dotted.startsWith('net.')) {
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    }
    const isIpc = /^(kernel\.(sem$|msg|shm)|fs\.mqueue\.)/.test(dotted);
    if (booleanAt(spec, 'hostIPC') === true && isIpc) {
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    }
  });
}

const sysctlGoPattern = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';

const credentialSpecKiBMax = 64;

function checkWindowsOptions(errors: Errors, path: string, options: JsonObject | undefined): void {
  if (options === undefined) return;
  const spec = valueAt(options, 'gmsaCredentialSpec');
  if (spec === '') {
    errors.push(invalid(`${path}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string'));
  } else if (typeof spec === 'string' && Buffer.byteLength(spec) > credentialSpecKiBMax * 1024) {
    errors.push(
      invalid(
        `${path}.gmsaCredentialSpec`,
        spec,
        `gmsaCredentialSpec size must be under ${credentialSpecKiBMax} KiB`,
      ),
    );
  }
  const specName = valueAt(options, 'gmsaCredentialSpecName');
  if (typeof specName === 'string') {
    checkName(errors, `${path}.gmsaCredentialSpecName`, specName, dns1123Subdomain);
  }
  const user = valueAt(options, 'runAsUserName');
  if (typeof user !== 'string') return;
  for (const why of windowsUserErrors(user)) errors.push(invalid(`${path}.runAsUserName`, user, why));
}

const domainCharsMax = 256;
const userCharsMax = 104;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const windowsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const windowsDomain = new RegExp(`^${windowsLabel}(?:\\.${windowsLabel})*$`);

/** `user` or `domain\user`, as Windows has them. */
function windowsUserErrors(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (/[\x00-\x1f\x7f]/.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1)!;
  const domain = parts.length === 2 ? parts[0]! : undefined;
  const errors: string[] = [];
  if (domain !== undefined && domain.length >= domainCharsMax) {
    errors.push(`runAsUserName's Domain length must be under ${domainCharsMax} characters`);
  }
  if (domain !== undefined && !netBiosName.test(domain) && !windowsDomain.test(domain)) {
    errors.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') errors.push("runAsUserName's User cannot be empty");
  else if (user.length > userCharsMax) {
    errors.push(`runAsUserName's User length must not be longer than ${userCharsMax} characters`);
  }
  if (/^[. ]+$/.test(user)) errors.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    errors.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  }
  return errors;
}

/**
 * A Windows pod whose processes are the host's is so in all its containers, and in the host's network
 * (validateWindowsHostProcessPod).
 */
export function checkHostProcesses(
  errors: Errors,
  path: string,
  spec: JsonObject,
  containers: readonly { readonly at: string; readonly container: JsonObject }[],
): void {
  const ofPod = valueAt(spec, 'securityContext', 'windowsOptions', 'hostProcess');
  let count = 0;
  for (const { at, container } of containers) {
    const own = valueAt(container, 'securityContext', 'windowsOptions', 'hostProcess');
    if (ofPod !== undefined && own !== undefined && own !== ofPod) {
      const why = `pod hostProcess value must be identical if both are specified, was ${String(ofPod)}`;
      errors.push(invalid(`${at}.securityContext.windowsOptions.hostProcess`, own, why));
    }
    if ((own ?? ofPod) === true) count++;
  }
  if (count === 0) return;
  if (count < containers.length) {
    const why =
      'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(invalid(path, '', why));
  }
  if (valueAt(spec, 'hostNetwork') !== true) {
    const why = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(invalid(`${path}.hostNetwork`, false, why));
  }
}

/** What only one operating system knows (validateLinux, validateWindows). */
export function checkOperatingSystem(
  errors: Errors,
  path: string,
  spec: JsonObject,
  containers: readonly { readonly at: string; readonly container: JsonObject }[],
): void {
  const os = objectAt(spec, 'os');
  if (os === undefined) return;
  const name = textAt(os, 'name');
  if (name === '') errors.push(required(`${path}.os.name`));
  else if (name === 'linux') {
    forbid(
      errors,
      `${path}.securityContext`,
      objectAt(spec, 'securityContext'),
      ['windowsOptions'],
      linuxText,
    );
    for (const { at, container } of containers) {
      forbid(
        errors,
        `${at}.securityContext`,
        objectAt(container, 'securityContext'),
        ['windowsOptions'],
        linuxText,
      );
    }
  } else if (name === 'windows') {
    forbid(errors, path, spec, ['hostUsers', 'shareProcessNamespace'], windowsText);
    for (const field of ['hostPID', 'hostIPC']) {
      if (booleanAt(spec, field) === true) errors.push(forbiddenField(`${path}.${field}`, windowsText));
    }
    forbid(errors, `${path}.securityContext`, objectAt(spec, 'securityContext'), linuxPodFields, windowsText);
    for (const { at, container } of containers) {
      const context = objectAt(container, 'securityContext');
      forbid(errors, `${at}.securityContext`, context, linuxContainerFields, windowsText);
    }
  } else errors.push(notSupported(`${path}.os`, name, ['linux', 'windows']));
}

const linuxText = 'windows options cannot be set for a linux pod';
const windowsText = 'cannot be set for a windows pod';

const linuxPodFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
];

const linuxContainerFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
];

function forbid(
  errors: Errors,
  path: string,
  object: JsonObject | undefined,
  fields: readonly string[],
  why: string,
): void {
  for (const field of fields) {
    if (valueAt(object, field) !== undefined) errors.push(forbiddenField(`${path}.${field}`, why));
  }
}
