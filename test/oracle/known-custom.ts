import { equalJson, isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { customGroup } from './custom.ts';
import type { Exchange, KnownDifference } from './known-difference.ts';
import { isCause, isMessage, messageIn, sortedCauses } from './known-messages.ts';
import { areOwnedAlike, type IsLeftOut, managersIn } from './known-owners.ts';

const isCustom = ({ request }: Exchange) => request.path.includes(`/${customGroup}/`);
const isApply = ({ request }: Exchange) => request.contentType === 'application/apply-patch+yaml';

const isStatus: IsLeftOut = (at) => at === 'f:status';
/** Owned, though it is not there. */
const isNothing: IsLeftOut = (_, value) => value === undefined;
/** Of a spec that is owned as a whole, that is who has written them. */
const isReplicas: IsLeftOut = (at, _, owned) =>
  at === 'f:spec.f:replicas' || (at === 'f:spec' && isJsonObject(owned) && Object.keys(owned).length === 0);

/** In which version of a custom kind a request is. */
const versionOf = (path: string) => path.split(`/${customGroup}/`)[1]?.split('/')[0];

/** Whether a request is of a custom kind, be it one whose definition is changed, and somebody owns its status in another version. */
function ownsStatusElsewhere({ request, ours }: Exchange): boolean {
  const version = /^\/apis\/([^/]+\.oracle\.example\.com\/[^/]+)\//.exec(request.path)?.[1];
  if (version === undefined) return false;
  return managersIn(ours.body).some(
    ({ apiVersion, fieldsV1 }) =>
      apiVersion !== version && isJsonObject(fieldsV1) && fieldsV1['f:status'] !== undefined,
  );
}

/**
 * Whether both servers tell the same conflicts but for those over status, with managers of other versions; where there are no
 * others we go on.
 */
function conflictAlike({ request, oracle, ours }: Exchange): boolean {
  const version = versionOf(request.path);
  const overStatus = new RegExp(
    `"field":"\\.status\\..*using ${customGroup.replaceAll('.', '\\.')}/(?!${version}")`,
  );
  const others = (body: JsonValue) => {
    const causes = sortedCauses(body);
    return Array.isArray(causes) ? causes.filter((cause) => !overStatus.test(String(cause))) : causes;
  };
  const left = others(oracle.body);
  return (Array.isArray(left) && left.length === 0) || equalJson(left, others(ours.body));
}

/** Behind `failed to create typed patch object (…): ` there is a fault, or behind `errors:` one a line. */
function faultsOf(message: JsonValue | undefined): string[] | undefined {
  const told = /^failed to create typed patch object \(.*?\): (.*)$/s.exec(String(message))?.[1];
  const [first, ...lines] = told?.split('\n') ?? [];
  return first === 'errors:' ? lines.map((line) => line.trim()) : first === undefined ? undefined : [first];
}

const undeclared = /^(.*)\.[^.]*: field not declared in schema$/;

/**
 * Whether only faults are missing that lie in a map with an undeclared field: with it structured-merge-diff is done with the map,
 * the members of which it takes in an order of chance (typed validatingObjectWalker.visitMapItem).
 */
function isCutShort(oracle: readonly string[], ours: readonly string[]): boolean {
  const maps = ours.flatMap((fault) => undeclared.exec(fault)?.[1] ?? []);
  const missing = ours.filter((fault) => !oracle.includes(fault));
  return (
    oracle.every((fault) => ours.includes(fault)) &&
    missing.every((fault) => maps.some((map) => fault.startsWith(`${map}.`)))
  );
}

/** Of custom kinds that are drawn at random. */
export const knownOfCustomKinds: readonly KnownDifference[] = [
  {
    row: undefined, // faults of a custom resource, and of a definition, come out of a map of Go's: in any order
    explains: ({ path }, exchange) =>
      (isCustom(exchange) || /\/customresourcedefinitions(?:[/?]|$)/.test(exchange.request.path)) &&
      (isCause(path) || isMessage({ path })) &&
      equalJson(sortedCauses(exchange.oracle.body), sortedCauses(exchange.ours.body)),
  },
  {
    row: "managers of an object that does not fit the schema by which it is compared: the one of a CRD's other version (conversion `None`), a set of what is no scalar, an element without the keys of its list",
    parts: true,
    explains: ({ path }, exchange) =>
      isCustom(exchange) &&
      !isApply(exchange) &&
      // That managers are gone is a change too.
      (path.includes('managedFields') || path.at(-1) === 'resourceVersion') &&
      managersIn(exchange.oracle.body).length === 0 &&
      managersIn(exchange.ours.body).length > 0,
  },
  {
    row: "managers of an object that does not fit the schema by which it is compared: the one of a CRD's other version (conversion `None`), a set of what is no scalar, an element without the keys of its list",
    parts: true,
    explains: (_, exchange) =>
      isCustom(exchange) &&
      isApply(exchange) &&
      exchange.oracle.status === 500 &&
      /^failed to (?:create manager for existing fields|convert|create typed live object)/.test(
        messageIn(exchange.oracle.body),
      ),
  },
  {
    row: 'an update in one version of a CRD with a status subresource',
    parts: true,
    explains: ({ path }, exchange) =>
      // That somebody lost a field is a change too.
      (path.includes('managedFields') || path.at(-1) === 'resourceVersion') &&
      ownsStatusElsewhere(exchange) &&
      areOwnedAlike(exchange.oracle.body, exchange.ours.body, isStatus),
  },
  {
    row: 'an update in one version of a CRD with a status subresource',
    parts: true,
    explains: (_, exchange) =>
      isCustom(exchange) && isApply(exchange) && exchange.oracle.status === 409 && conflictAlike(exchange),
  },
  {
    // That the two own otherwise stays, and is a change when somebody else owns it.
    row: 'null in a default, where the field is not nullable',
    parts: true,
    explains: ({ path }, exchange) =>
      isCustom(exchange) &&
      path.includes('managedFields') &&
      areOwnedAlike(exchange.oracle.body, exchange.ours.body, isNothing),
  },
  {
    // What a write of it leaves stays to the writes that follow.
    row: 'a write of `/scale`',
    explains: ({ path }, exchange) =>
      isCustom(exchange) &&
      path.includes('managedFields') &&
      managersIn(exchange.ours.body).some(({ subresource }) => subresource === 'scale') &&
      areOwnedAlike(exchange.oracle.body, exchange.ours.body, isReplicas),
  },
  {
    row: 'a write of `/scale`',
    parts: true,
    explains: ({ path, oracle, ours }, exchange) =>
      isCustom(exchange) &&
      /\/scale(?:\?|$)/.test(exchange.request.path) &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>',
  },
  {
    row: undefined, // faults of what is applied come out of a map of Go's: in any order
    explains: (difference, { oracle }) => {
      const [theirs, own] = [faultsOf(difference.oracle), faultsOf(difference.ours)];
      if (!isMessage(difference) || oracle.status !== 500 || theirs === undefined || own === undefined)
        return false;
      return theirs.length === own.length && theirs.every((fault) => own.includes(fault));
    },
  },
  {
    row: 'several undeclared fields in one applied map',
    explains: (difference, { oracle }) => {
      const [theirs, own] = [faultsOf(difference.oracle), faultsOf(difference.ours)];
      if (!isMessage(difference) || oracle.status !== 500 || theirs === undefined || own === undefined)
        return false;
      return isCutShort(theirs, own);
    },
  },
  {
    row: 'what is applied to a custom kind within objects of which its schema says nothing',
    explains: ({ path, oracle, ours }, exchange) =>
      isCustom(exchange) &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>' &&
      exchange.earlier?.some(({ contentType }) => contentType === 'application/apply-patch+yaml') === true,
  },
  {
    row: 'integers beyond 2^53 in custom resources',
    parts: true,
    explains: (_, exchange) =>
      isCustom(exchange) &&
      exchange.ours.status === 422 &&
      /should be an integer between -9007199254740991/.test(JSON.stringify(exchange.ours.body)),
  },
];
