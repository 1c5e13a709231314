import { appArmorPrefix } from '#api/builtin/pod-annotation-keys.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import {
  type Check,
  type CheckedPod,
  containersOf,
  containersText,
  type Finding,
  namesOf,
  plural,
  quoted,
  settersText,
  sorted,
} from './findings.ts';

/** The checks of level baseline, as published with the Pod Security Standards; texts as k8s.io/pod-security-admission's. */

export const appArmorProfile: Check = ({ annotations, spec }) => {
  const bad: string[] = [];
  const isBad = (holder: JsonObject) => {
    const profile = objectAt(holder, 'securityContext', 'appArmorProfile');
    if (profile === undefined) return false;
    const type = textAt(profile, 'type');
    if (type === 'RuntimeDefault' || type === 'Localhost') return false;
    bad.push(type);
    return true;
  };
  const setters = [settersText(isBad(spec), namesOf(spec, isBad))].filter((text) => text !== '');
  const forbidden = Object.keys(annotations)
    .filter((key) => key.startsWith(appArmorPrefix))
    .filter((key) => {
      const value = annotations[key]!;
      return value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/');
    })
    .map((key) => `${key}=${JSON.stringify(annotations[key])}`)
    .sort();
  if (forbidden.length > 0) setters.push(plural(forbidden.length, 'annotation', 'annotations'));
  if (setters.length === 0) return undefined;
  const values = [...sorted(bad), ...forbidden];
  return {
    reason: plural(values.length, 'forbidden AppArmor profile', 'forbidden AppArmor profiles'),
    detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const defaultCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

export const capabilities: Check = ({ spec }) => {
  const bad: string[] = [];
  const names = namesOf(spec, (container) => {
    const beyond = textsAt(container, 'securityContext', 'capabilities', 'add').filter(
      (one) => !defaultCapabilities.has(one),
    );
    bad.push(...beyond);
    return beyond.length > 0;
  });
  if (names.length === 0) return undefined;
  return {
    reason: 'non-default capabilities',
    detail: `${containersText(names)} must not include ${quoted(sorted(bad))} in securityContext.capabilities.add`,
  };
};

export const hostNamespaces: Check = ({ spec }) => {
  const set = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => booleanAt(spec, field) === true);
  if (set.length === 0) return undefined;
  return { reason: 'host namespaces', detail: set.map((field) => `${field}=true`).join(', ') };
};

export const hostPathVolumes: Check = ({ spec }) => {
  const names = objectsAt(spec, 'volumes')
    .filter((volume) => objectAt(volume, 'hostPath') !== undefined)
    .map((volume) => textAt(volume, 'name'));
  if (names.length === 0) return undefined;
  return {
    reason: 'hostPath volumes',
    detail: `${plural(names.length, 'volume', 'volumes')} ${quoted(names)}`,
  };
};

export const hostPorts: Check = ({ spec }) => {
  const ports: string[] = [];
  const names = namesOf(spec, (container) => {
    const used = objectsAt(container, 'ports')
      .map((port) => numberAt(port, 'hostPort') ?? 0)
      .filter((port) => port !== 0);
    ports.push(...used.map(String));
    return used.length > 0;
  });
  if (names.length === 0) return undefined;
  const list = sorted(ports);
  const uses = `${plural(names.length, 'uses', 'use')} ${plural(list.length, 'hostPort', 'hostPorts')}`;
  return { reason: 'hostPort', detail: `${containersText(names)} ${uses} ${list.join(', ')}` };
};

export const hostProbes: Check = ({ spec }) => {
  const hosts: string[] = [];
  const names = namesOf(spec, (container) => {
    const handlers = [
      ...['livenessProbe', 'readinessProbe', 'startupProbe'].map((probe) => objectAt(container, probe)),
      ...['postStart', 'preStop'].map((hook) => objectAt(container, 'lifecycle', hook)),
    ];
    const found = handlers
      .flatMap((handler) => ['httpGet', 'tcpSocket'].map((action) => textAt(handler, action, 'host')))
      .filter((host) => host !== '');
    hosts.push(...found);
    return found.length > 0;
  });
  if (names.length === 0) return undefined;
  const list = sorted(hosts);
  const uses = plural(names.length, 'uses', 'use');
  const what = plural(list.length, 'probe or lifecycle host', 'probe or lifecycle hosts');
  return {
    reason: 'probe or lifecycle host',
    detail: `${containersText(sorted(names))} ${uses} ${what} ${quoted(list)}`,
  };
};

export const privileged: Check = ({ spec }) => {
  const names = namesOf(spec, (one) => booleanAt(one, 'securityContext', 'privileged') === true);
  if (names.length === 0) return undefined;
  return {
    reason: 'privileged',
    detail: `${containersText(names)} must not set securityContext.privileged=true`,
  };
};

export const procMount: Check = ({ spec }) => {
  const types: string[] = [];
  const names = namesOf(spec, (container) => {
    const type = valueAt(container, 'securityContext', 'procMount');
    if (typeof type !== 'string' || type === 'Default') return false;
    types.push(type);
    return true;
  });
  if (names.length === 0) return undefined;
  return {
    reason: 'procMount',
    detail: `${containersText(names)} must not set securityContext.procMount to ${quoted(sorted(types))}`,
  };
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

/** `more`: types that a later version allows besides. */
export function seLinuxOptions(...more: readonly string[]): Check {
  const allowed: ReadonlySet<string> = new Set([...seLinuxTypes, ...more]);
  return ({ spec }) => {
    const types: string[] = [];
    let setsUser = false;
    let setsRole = false;
    const isBad = (holder: JsonObject) => {
      const options = objectAt(holder, 'securityContext', 'seLinuxOptions');
      if (options === undefined) return false;
      const type = textAt(options, 'type');
      const user = textAt(options, 'user') !== '';
      const role = textAt(options, 'role') !== '';
      if (!allowed.has(type)) types.push(type);
      setsUser ||= user;
      setsRole ||= role;
      return user || role || !allowed.has(type);
    };
    const setters = settersText(isBad(spec), namesOf(spec, isBad));
    if (setters === '') return undefined;
    const list = sorted(types);
    const data = [
      ...(list.length > 0 ? [`${plural(list.length, 'type', 'types')} ${quoted(list)}`] : []),
      ...(setsUser ? ['user may not be set'] : []),
      ...(setsRole ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    };
  };
}

const seccompPodAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';

/** Before 1.19: by annotations. */
export const seccompAnnotations: Check = ({ annotations, spec }) => {
  const keys = [
    seccompPodAnnotation,
    ...containersOf(spec).map((container) => `${seccompContainerPrefix}${textAt(container, 'name')}`),
  ];
  const forbidden = sorted(
    keys.flatMap((key) => {
      const value = annotations[key];
      if (value === undefined || value === 'runtime/default' || value === 'docker/default') return [];
      return value.startsWith('localhost/') ? [] : [`${key}=${JSON.stringify(value)}`];
    }),
  );
  if (forbidden.length === 0) return undefined;
  const what = plural(forbidden.length, 'annotation', 'annotations');
  return { reason: 'seccompProfile', detail: `forbidden ${what} ${forbidden.join(', ')}` };
};

export const seccompProfile: Check = ({ spec }) => badSeccomp(spec);

/** What is told of profiles that are set to another type than the two that are allowed. */
export function badSeccomp(spec: CheckedPod['spec']): Finding | undefined {
  const types: string[] = [];
  const isBad = (holder: JsonObject) => {
    const profile = objectAt(holder, 'securityContext', 'seccompProfile');
    if (profile === undefined || isSeccomp(profile)) return false;
    types.push(textAt(profile, 'type'));
    return true;
  };
  const setters = settersText(isBad(spec), namesOf(spec, isBad));
  if (setters === '') return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}`,
  };
}

export function isSeccomp(profile: JsonObject | undefined): boolean {
  const type = textAt(profile, 'type');
  return type === 'RuntimeDefault' || type === 'Localhost';
}

const sysctlsOf10 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];

/** `more`: those that later versions allow besides. */
export function sysctls(...more: readonly string[]): Check {
  const allowed: ReadonlySet<string> = new Set([...sysctlsOf10, ...more]);
  return ({ spec }) => {
    const forbidden = objectsAt(spec, 'securityContext', 'sysctls')
      .map((one) => textAt(one, 'name'))
      .filter((name) => !allowed.has(name));
    if (forbidden.length === 0) return undefined;
    return { reason: 'forbidden sysctls', detail: forbidden.join(', ') };
  };
}

export const windowsHostProcess: Check = ({ spec }) => {
  const isBad = (holder: JsonObject) =>
    booleanAt(holder, 'securityContext', 'windowsOptions', 'hostProcess') === true;
  const setters = settersText(isBad(spec), namesOf(spec, isBad));
  if (setters === '') return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true`,
  };
};
