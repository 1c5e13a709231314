import { invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { objectAt, objectsAt, textAt, textsAt } from '../read.ts';
import { checkIp, type Errors } from './common.ts';

const nameserversMax = 3;
const searchesMax = 32;
const searchCharsMax = 2048;

const searchPattern = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const searchText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";

/** Unlike other names a search path may hold underscores, for what services are called elsewhere (KEP-4427). */
function checkSearchPath(errors: Errors, at: string, search: string): void {
  const name = search.replace(/\.$/, '');
  if (name.length > 253) errors.push(invalid(at, search, 'must be no more than 253 characters'));
  if (!searchPattern.test(name)) errors.push(invalid(at, search, searchText));
}

/** core validatePodDNSConfig. */
export function checkDnsConfig(errors: Errors, path: string, spec: JsonObject): void {
  const config = objectAt(spec, 'dnsConfig');
  const servers = textsAt(config, 'nameservers');
  if (textAt(spec, 'dnsPolicy') === 'None') {
    if (config === undefined) {
      errors.push(required(path, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if (servers.length === 0) {
      const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(required(`${path}.nameservers`, why));
      return;
    }
  }
  if (config === undefined) return;
  if (servers.length > nameserversMax) {
    const why = `must not have more than ${nameserversMax} nameservers`;
    errors.push(invalid(`${path}.nameservers`, servers, why));
  }
  servers.forEach((server, i) => {
    checkIp(errors, `${path}.nameservers[${i}]`, server);
  });
  const searches = textsAt(config, 'searches');
  if (searches.length > searchesMax) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${searchesMax} search paths`));
  }
  if (searches.join(' ').length > searchCharsMax) {
    const why = `must not have more than ${searchCharsMax} characters (including spaces) in the search list`;
    errors.push(invalid(`${path}.searches`, searches, why));
  }
  searches.forEach((search, i) => {
    if (search === '.') return;
    checkSearchPath(errors, `${path}.searches[${i}]`, search);
  });
  objectsAt(config, 'options').forEach((option, i) => {
    if (textAt(option, 'name') === '') {
      errors.push(required(`${path}.options[${i}]`, 'must not be empty'));
    }
  });
}
