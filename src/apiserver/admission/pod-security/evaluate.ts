import { booleanAt, textAt } from '#api/builtin/read.ts';
import {
  appArmorProfile,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seccompAnnotations,
  seccompProfile,
  seLinuxOptions,
  sysctls,
  windowsHostProcess,
} from './baseline-checks.ts';
import type { Check, CheckedPod, Finding } from './findings.ts';
import type { LevelVersion } from './policy.ts';
import {
  allowPrivilegeEscalation,
  droppedCapabilities,
  requiredSeccomp,
  runAsNonRoot,
  runAsUser,
  volumeTypes,
} from './restricted-checks.ts';

interface VersionedCheck {
  /** The check from this minor version of Kubernetes 1 on, until the next. */
  readonly since: readonly (readonly [minor: number, check: Check])[];
  /** From the first of these versions on, `restricted` asks this instead of that check of `baseline`. */
  readonly replaces?: VersionedCheck;
}

const of = (check: Check): VersionedCheck => ({ since: [[0, check]] });

const reservedPorts = ['net.ipv4.ip_local_reserved_ports'];
const tcpTimes = [
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const tcpBuffers = ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const baselineCapabilities = of(capabilities);
const baselineHostPath = of(hostPathVolumes);
const baselineProcMount: VersionedCheck = {
  since: [
    [0, procMount],
    [35, unlessOwnUsers(procMount)],
  ],
};
const baselineSeccomp: VersionedCheck = {
  since: [
    [0, seccompAnnotations],
    [19, seccompProfile],
  ],
};

/** In the order in which findings are told, that of the checks' names (source: policy/ of k8s.io/pod-security-admission). */
const baseline: readonly VersionedCheck[] = [
  of(appArmorProfile),
  baselineCapabilities,
  of(hostNamespaces),
  baselineHostPath,
  of(hostPorts),
  { since: [[34, hostProbes]] },
  of(privileged),
  baselineProcMount,
  {
    since: [
      [0, seLinuxOptions()],
      [31, seLinuxOptions('container_engine_t')],
    ],
  },
  baselineSeccomp,
  {
    since: [
      [0, sysctls()],
      [27, sysctls(...reservedPorts)],
      [29, sysctls(...reservedPorts, ...tcpTimes)],
      [32, sysctls(...reservedPorts, ...tcpTimes, ...tcpBuffers)],
    ],
  },
  of(windowsHostProcess),
];

const restricted: readonly VersionedCheck[] = [
  {
    since: [
      [8, allowPrivilegeEscalation],
      [25, unlessWindows(allowPrivilegeEscalation)],
    ],
  },
  {
    since: [
      [22, droppedCapabilities],
      [25, unlessWindows(droppedCapabilities)],
    ],
    replaces: baselineCapabilities,
  },
  { since: [[35, procMount]], replaces: baselineProcMount },
  { since: [[0, volumeTypes]], replaces: baselineHostPath },
  {
    since: [
      [0, runAsNonRoot],
      [35, unlessOwnUsers(runAsNonRoot)],
    ],
  },
  {
    since: [
      [23, runAsUser],
      [35, unlessOwnUsers(runAsUser)],
    ],
  },
  {
    since: [
      [19, requiredSeccomp],
      [25, unlessWindows(requiredSeccomp)],
    ],
    replaces: baselineSeccomp,
  },
];

function unlessWindows(check: Check): Check {
  return (pod) => (textAt(pod.spec, 'os', 'name') === 'windows' ? undefined : check(pod));
}

/** Of a pod whose users are not the node's. */
function unlessOwnUsers(check: Check): Check {
  return (pod) => (booleanAt(pod.spec, 'hostUsers') === false ? undefined : check(pod));
}

/** Checks by level and version; there are few of either. */
const known = new Map<string, readonly Check[]>();

function checksOf({ level, version }: LevelVersion): readonly Check[] {
  const key = `${level} ${version}`;
  let checks = known.get(key);
  if (checks === undefined) {
    checks = level === 'privileged' ? [] : findChecks(level, version === 'latest' ? Infinity : version);
    // Versions are the users' words: what is remembered is bounded.
    if (known.size < rememberedMax) known.set(key, checks);
  }
  return checks;
}

const rememberedMax = 128;

function findChecks(level: 'baseline' | 'restricted', minor: number): Check[] {
  const at = ({ since }: VersionedCheck) => since.findLast(([from]) => from <= minor)?.[1];
  const added = level === 'restricted' ? restricted.filter((one) => at(one) !== undefined) : [];
  const replaced = new Set(added.map(({ replaces }) => replaces));
  return [...baseline.filter((one) => !replaced.has(one)), ...added]
    .map(at)
    .filter((check) => check !== undefined);
}

/** Everything that the level refuses in the pod; empty when nothing. */
export function evaluatePod(level: LevelVersion, pod: CheckedPod): Finding[] {
  const found: Finding[] = [];
  for (const check of checksOf(level)) {
    const finding = check(pod);
    if (finding !== undefined) found.push(finding);
  }
  return found;
}

/** `privileged (container "c" must not …), hostPort (…)`. */
export function findingsText(found: readonly Finding[]): string {
  return found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
}
