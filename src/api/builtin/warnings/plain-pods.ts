import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/**
 * True only if `podWarnings` has nothing to tell of a pod with this spec and these annotations. False says nothing. Nearly
 * every pod is of the first sort, and one look at what it has costs a tenth of looking for everything that it could have.
 */
export function isPlainPod(spec: JsonObject, annotations: JsonObject): boolean {
  // Every annotation that is told of has a domain of Kubernetes' alpha or beta days.
  for (const name in annotations) if (oldDomain.test(name)) return false;
  const seen = new SeenPorts();
  for (const field in spec) {
    const value = spec[field];
    switch (field) {
      case 'containers':
      case 'initContainers':
      case 'ephemeralContainers':
        if (!arePlainContainers(value, seen)) return false;
        break;
      case 'terminationGracePeriodSeconds':
        if (typeof value !== 'number' || value < 0) return false;
        break;
      case 'volumes':
        if (!arePlainVolumes(value)) return false;
        break;
      case 'affinity':
      case 'dnsConfig':
      case 'hostAliases':
      case 'imagePullSecrets':
      case 'nodeSelector':
      case 'overhead':
      case 'topologySpreadConstraints':
        return false;
      default:
    }
  }
  return true;
}

const oldDomain = /(?:alpha|beta)\.kubernetes\.io\//;

/** The ports of all containers of a pod: made only where there are several. */
class SeenPorts {
  #first: JsonObject | undefined;
  #keys: Set<string> | undefined;

  /** False if the port could be one of those that are told of. */
  add(port: JsonObject): boolean {
    if (port['hostIP'] !== undefined || port['hostPort'] !== undefined) return false;
    if (this.#first === undefined) {
      this.#first = port;
      return true;
    }
    this.#keys ??= keysOf(this.#first, new Set());
    const before = this.#keys.size;
    keysOf(port, this.#keys);
    return this.#keys.size === before + (port['name'] === undefined ? 1 : 2);
  }
}

/** A port's number with its protocol, and its name: two strings that are never alike. */
function keysOf(port: JsonObject, keys: Set<string>): Set<string> {
  keys.add(`${String(port['containerPort'])}/${String(port['protocol'])}`);
  if (port['name'] !== undefined) keys.add(String(port['name']));
  return keys;
}

function arePlainContainers(containers: JsonValue | undefined, seen: SeenPorts): boolean {
  if (!Array.isArray(containers)) return false;
  for (const container of containers) {
    if (!isJsonObject(container)) return false;
    for (const field in container) {
      const value = container[field];
      switch (field) {
        case 'env':
          if (!areDistinct(value)) return false;
          break;
        case 'ports':
          if (!arePlainPorts(value, seen)) return false;
          break;
        case 'resources':
          if (!areWhole(value)) return false;
          break;
        default:
      }
    }
  }
  return true;
}

/** Whether no variable is defined twice. */
function areDistinct(variables: JsonValue | undefined): boolean {
  if (!Array.isArray(variables)) return false;
  if (variables.length < 2) return true;
  const names = new Set<JsonValue | undefined>();
  for (const variable of variables) {
    if (!isJsonObject(variable)) return false;
    names.add(variable['name']);
  }
  return names.size === variables.length;
}

function arePlainPorts(ports: JsonValue | undefined, seen: SeenPorts): boolean {
  if (!Array.isArray(ports)) return false;
  for (const port of ports) if (!isJsonObject(port) || !seen.add(port)) return false;
  return true;
}

/** Whether sizes are whole bytes, as far as one can see. */
function areWhole(resources: JsonValue | undefined): boolean {
  if (!isJsonObject(resources)) return false;
  return isWholeList(resources['limits']) && isWholeList(resources['requests']);
}

function isWholeList(list: JsonValue | undefined): boolean {
  if (list === undefined) return true;
  return isJsonObject(list) && isWhole(list['memory']) && isWhole(list['ephemeral-storage']);
}

const wholeBytes = /^\d+(?:k|[KMGTPE]i|[MGTPE])?$/;

function isWhole(amount: JsonValue | undefined): boolean {
  return amount === undefined || (typeof amount === 'string' && wholeBytes.test(amount));
}

/** Volumes of the usual sorts, with all of their keys. */
function arePlainVolumes(volumes: JsonValue | undefined): boolean {
  if (!Array.isArray(volumes)) return false;
  for (const volume of volumes) {
    if (!isJsonObject(volume)) return false;
    for (const field in volume) {
      switch (field) {
        case 'name':
        case 'emptyDir':
        case 'hostPath':
        case 'persistentVolumeClaim':
          break;
        case 'configMap':
        case 'secret': {
          const source = volume[field];
          if (!isJsonObject(source) || source['items'] !== undefined) return false;
          break;
        }
        default:
          return false;
      }
    }
  }
  return true;
}
