import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkNonNegatives, checkPort, type Errors } from './common.ts';

/** Probes and lifecycle hooks of containers (source: validateProbe, validateLifecycle in core/validation). */

const counts = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
];

const probeKinds = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const probeHandlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

/** Liveness, readiness and startup probe of a container. */
export function checkProbes(
  errors: Errors,
  path: string,
  container: JsonObject,
  gracePeriodS: number | undefined,
): void {
  for (const kind of probeKinds) {
    const probe = objectAt(container, kind);
    if (probe === undefined) continue;
    const at = `${path}.${kind}`;
    checkHandler(errors, at, probe, probeHandlers, gracePeriodS);
    checkNonNegatives(errors, at, probe, counts);
    const grace = numberAt(probe, 'terminationGracePeriodSeconds');
    if (grace !== undefined && grace <= 0) {
      errors.push(invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
    }
    if (kind === 'readinessProbe') {
      if (grace !== undefined) {
        errors.push(
          invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'),
        );
      }
    } else if (numberAt(probe, 'successThreshold') !== 1) {
      errors.push(invalid(`${at}.successThreshold`, numberAt(probe, 'successThreshold') ?? 0, 'must be 1'));
    }
  }
}

const linuxSignals: ReadonlySet<string> = new Set([
  ...[
    'ABRT',
    'ALRM',
    'BUS',
    'CHLD',
    'CLD',
    'CONT',
    'FPE',
    'HUP',
    'ILL',
    'INT',
    'IO',
    'IOT',
    'KILL',
    'PIPE',
    'POLL',
    'PROF',
    'PWR',
    'QUIT',
    'SEGV',
    'STKFLT',
    'STOP',
    'SYS',
    'TERM',
    'TRAP',
    'TSTP',
    'TTIN',
    'TTOU',
    'URG',
    'USR1',
    'USR2',
    'VTALRM',
    'WINCH',
    'XCPU',
    'XFSZ',
    'RTMIN',
    'RTMAX',
  ].map((name) => `SIG${name}`),
  ...Array.from({ length: 15 }, (_, i) => `SIGRTMIN+${i + 1}`),
  ...Array.from({ length: 14 }, (_, i) => `SIGRTMAX-${i + 1}`),
]);

export function checkLifecycle(
  errors: Errors,
  path: string,
  lifecycle: JsonObject,
  gracePeriodS: number | undefined,
  os: string,
): void {
  for (const hook of ['postStart', 'preStop']) {
    const handler = objectAt(lifecycle, hook);
    if (handler !== undefined) {
      checkHandler(
        errors,
        `${path}.${hook}`,
        handler,
        ['exec', 'httpGet', 'tcpSocket', 'sleep'],
        gracePeriodS,
      );
    }
  }
  const signal = valueAt(lifecycle, 'stopSignal');
  if (typeof signal !== 'string') return;
  const at = `${path}.stopSignal`;
  if (os === '') errors.push(forbiddenField(at, 'may not be set for containers with empty `spec.os.name`'));
  else if (os === 'windows' && signal !== 'SIGKILL' && signal !== 'SIGTERM') {
    errors.push(notSupported(at, signal, ['SIGKILL', 'SIGTERM']));
  } else if (os === 'linux' && !linuxSignals.has(signal)) {
    errors.push(notSupported(at, signal, [...linuxSignals].sort()));
  }
}

function checkHandler(
  errors: Errors,
  path: string,
  handler: JsonObject,
  kinds: readonly string[],
  gracePeriodS: number | undefined,
): void {
  let count = 0;
  for (const kind of kinds) {
    const action = objectAt(handler, kind);
    if (action === undefined) continue;
    if (count > 0) errors.push(forbiddenField(`${path}.${kind}`, 'may not specify more than 1 handler type'));
    else checkAction(errors, `${path}.${kind}`, kind, action, gracePeriodS);
    count++;
  }
  if (count === 0) errors.push(required(path, 'must specify a handler type'));
}

function checkAction(
  errors: Errors,
  at: string,
  kind: string,
  action: JsonObject,
  gracePeriodS: number | undefined,
): void {
  switch (kind) {
    case 'exec':
      if (textsAt(action, 'command').length === 0) errors.push(required(`${at}.command`));
      return;
    case 'httpGet':
      if (textAt(action, 'path') === '') errors.push(required(`${at}.path`));
      checkPort(errors, `${at}.port`, valueAt(action, 'port'));
      if (textAt(action, 'scheme') !== 'HTTP' && textAt(action, 'scheme') !== 'HTTPS') {
        errors.push(notSupported(`${at}.scheme`, textAt(action, 'scheme'), ['HTTP', 'HTTPS']));
      }
      for (const header of objectsAt(action, 'httpHeaders')) {
        const name = textAt(header, 'name');
        if (!/^[-A-Za-z0-9]+$/.test(name)) errors.push(invalid(`${at}.httpHeaders`, name, headerText));
      }
      return;
    case 'tcpSocket':
    case 'grpc':
      checkPort(errors, `${at}.port`, valueAt(action, 'port'));
      return;
    default: {
      const seconds = numberAt(action, 'seconds') ?? 0;
      if (gracePeriodS !== undefined && (seconds < 0 || seconds > gracePeriodS)) {
        errors.push(
          invalid(
            at,
            seconds,
            `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodS})`,
          ),
        );
      }
    }
  }
}

const headerText =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
