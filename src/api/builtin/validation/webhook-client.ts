import { invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { numberAt, objectAt, textAt, valueAt } from '../read.ts';
import { type Errors, requireText } from './common.ts';

/** WebhookClientConfig, of admission and of conversion. */
export function checkWebhookClient(errors: Errors, at: string, client: JsonObject): void {
  const url = valueAt(client, 'url');
  const service = objectAt(client, 'service');
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(at, 'exactly one of url or service is required'));
    return;
  }
  if (typeof url === 'string') {
    checkUrl(errors, `${at}.url`, url);
    return;
  }
  // Kubernetes hands the two over in the other order than it takes them: each is told as the other's absence.
  requireText(errors, `${at}.service.name`, textAt(service, 'namespace'));
  requireText(errors, `${at}.service.namespace`, textAt(service, 'name'));
  const port = numberAt(service, 'port');
  if (port !== undefined && (port < 1 || port > 65_535)) {
    const why = 'port is not valid: must be between 1 and 65535, inclusive';
    errors.push(invalid(`${at}.service.port`, port, why));
  }
  checkPath(errors, `${at}.service.path`, textAt(service, 'path'));
}

/** A path of a service: a subdomain a segment, as ValidateWebhookService of apiserver has it. */
function checkPath(errors: Errors, at: string, path: string): void {
  if (path === '' || path === '/') return;
  if (!path.startsWith('/')) errors.push(invalid(at, path, "must start with a '/'"));
  const segments = path === '//' ? [''] : path.slice(1).replace(/\/$/, '').split('/');
  segments.forEach((segment, i) => {
    if (segment === '') errors.push(invalid(at, path, `segment[${i}] may not be empty`));
    else for (const why of dns1123Subdomain(segment)) errors.push(invalid(at, path, `segment[${i}]: ${why}`));
  });
}

/** scheme, user information, host and port, path, query, fragment: as Go's url.Parse cuts them. */
const urlParts =
  /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

function checkUrl(errors: Errors, at: string, url: string): void {
  const form = '; desired format: https://host[/path]';
  const [, scheme = '', user, host = '', query = '', fragment = ''] = urlParts.exec(url) ?? [];
  const wrong = urlFault(url, scheme, host);
  if (wrong !== undefined) {
    errors.push(required(at, `url must be a valid URL: parse ${JSON.stringify(url)}: ${wrong}${form}`));
    return;
  }
  const refuse = (value: string, why: string) => errors.push(invalid(at, value, why));
  if (scheme.toLowerCase() !== 'https') {
    refuse(scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`);
  }
  if (host === '') refuse('', `host must be specified${form}`);
  if (user !== undefined) refuse(user, 'user information is not permitted in the URL');
  if (fragment !== '') refuse(fragment, 'fragments are not permitted in the URL');
  if (query !== '') refuse(query, 'query parameters are not permitted in the URL');
}

/** Why url.Parse refuses a URL, in its words; undefined when it does not. */
function urlFault(url: string, scheme: string, host: string): string | undefined {
  if (/[\x00-\x1f\x7f]/.test(url)) return 'net/url: invalid control character in URL';
  if (scheme === '' && url.startsWith(':')) return 'missing protocol scheme';
  const port = /:([^:\]]*)$/.exec(host.replace(/^\[[^\]]*\]/, ''));
  const character = /[\s<>"{}|\\^`]/.exec(host)?.[0];
  if (character !== undefined) return `invalid character ${JSON.stringify(character)} in host name`;
  if (port !== null && !/^\d*$/.test(port[1] as string)) {
    return `invalid port ${JSON.stringify(`:${port[1]}`)} after host`;
  }
  const badEscape = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(url)?.[0];
  return badEscape === undefined ? undefined : `invalid URL escape ${JSON.stringify(badEscape)}`;
}
