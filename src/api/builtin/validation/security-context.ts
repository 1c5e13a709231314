import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooLong,
} from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkDescendingPath, checkOptionalChoice, type Errors } from './common.ts';

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
  checkOptionalChoice(errors, `${path}.seLinuxChangePolicy`, valueAt(context, 'seLinuxChangePolicy'), [
    'MountOption',
    'Recursive',
  ]);
}

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
  const user = valueAt(options, 'runAsUserName');
  if (user === '')
    errors.push(invalid(`${path}.runAsUserName`, user, 'runAsUserName cannot be an empty string'));
  else if (typeof user === 'string' && /[\x00-\x1f\x7f]/.test(user)) {
    errors.push(invalid(`${path}.runAsUserName`, user, 'runAsUserName cannot contain control characters'));
  } else if (typeof user === 'string' && user.split('\\').length > 2) {
    errors.push(
      invalid(`${path}.runAsUserName`, user, 'runAsUserName cannot contain more than one backslash'),
    );
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
