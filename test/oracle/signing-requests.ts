import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import type { Case, Step, StepOf } from './case.ts';

const collection = '/apis/certificates.k8s.io/v1/certificatesigningrequests';

/** DER that openssl made, in base64. */
const requestDer = [
  'MIHqMIGRAgEAMC8xFTATBgNVBAoMDHN5c3RlbTpub2RlczEWMBQGA1UEAwwNc3lzdGVtOm5vZGU6bjBZMBMGByqGSM49AgEG',
  'CCqGSM49AwEHA0IABCOu6XdKvUc2zS7AXdj5yfTBAL/lKkPUsHkes7Gtnut8agg7No1IKKSAvw+xi8aVCHdhM4XJpNIK4RKd',
  'o6jC8vCgADAKBggqhkjOPQQDAgNIADBFAiAG+vz/iIDhy7BIQujjI1/dsL6EOhzM8+PSmwY66EL88QIhAPxSHpHE4I3hEpny',
  'cz0l3tTm4TRsLl3lYraNpWGbm8QH',
].join('');
const certificateDer = [
  'MIIBbjCCARWgAwIBAgIURHeWhq76BmGimZhSboA3dRAyxGkwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBdTAgFw0yNjExMjIy',
  'MjUwNDlaGA8yMTI2MTAyOTIyNTA0OVowDDEKMAgGA1UEAwwBdTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI+UWaO1rF0y',
  'VeFv/Q28jRsnCc6QYqcOfV107Yrj64QNqjVxVoZVy7kO5U+8dc7m3/7gRyamvYyokxz1U/LpvPKjUzBRMB0GA1UdDgQWBBST',
  'R+mkKbJcXOi4in6GNCEc6mzjrDAfBgNVHSMEGDAWgBSTR+mkKbJcXOi4in6GNCEc6mzjrDAPBgNVHRMBAf8EBTADAQH/MAoG',
  'CCqGSM49BAMCA0cAMEQCIA8x63jg+xYR8j0Ko4Sngdrp5/Dgr71SQxexP94OyWLaAiBuS5wqRrtdJNmFGG1XlyMxZ0+TvniM',
  'N95e80klkngU2A==',
].join('');
const some = (random: Random, chance: number) => random.next() < chance;

function pem(type: string, der: string, headers = '', end = type): string {
  const lines = (der.match(/.{1,64}/g) ?? []).join('\n');
  return `-----BEGIN ${type}-----\n${headers}${lines}${lines === '' ? '' : '\n'}-----END ${end}-----\n`;
}

/** Text of PEM, right and wrong, as it stands in JSON. */
function drawPem(random: Random, type: string, der: string): string {
  const flipped = () => {
    const bytes = Buffer.from(der, 'base64');
    const at = random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] as number) ^ (1 << random.between(0, 7));
    return bytes.toString('base64');
  };
  const good = pem(type, der);
  const texts: { readonly [how in (typeof forms)[number]]: () => string } = {
    good: () => good,
    before: () => `Certificate:\n  Data\n${good}`,
    behind: () => `${good}and more\n`,
    twice: () => good + good,
    glued: () => good.trimEnd() + good,
    headers: () => pem(type, der, 'Key: value\n\n'),
    other: () => pem('PRIVATE KEY', der),
    mixed: () => good + pem('PRIVATE KEY', der),
    cut: () => pem(type, Buffer.from(der, 'base64').subarray(0, random.between(1, 60)).toString('base64')),
    longer: () => pem(type, Buffer.concat([Buffer.from(der, 'base64'), Buffer.from([0])]).toString('base64')),
    flipped: () => pem(type, flipped()),
    empty: () => pem(type, ''),
    unlike: () => pem(type, der, '', 'OTHER'),
    bad: () => pem(type, `${der}!`),
    crlf: () => good.replaceAll('\n', '\r\n'),
    line: () => `-----BEGIN ${type}-----\n${der}\n-----END ${type}-----`,
    none: () => 'nothing',
  };
  const how = some(random, 0.5) ? 'good' : random.pick(forms);
  return Buffer.from(texts[how]()).toString('base64');
}

const forms = [
  ...(['good', 'before', 'behind', 'twice', 'glued', 'headers', 'other', 'mixed', 'cut'] as const),
  ...(['longer', 'flipped', 'empty', 'unlike', 'bad', 'crlf', 'line', 'none'] as const),
] as const;

const signers = [
  'kubernetes.io/kube-apiserver-client',
  'kubernetes.io/kube-apiserver-client-kubelet',
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/legacy-unknown',
  'example.com/x',
  ...['example.com', 'Bad/x', 'example.com/x/y', 'example.com/', '/x', `${'a'.repeat(60)}.example.com/x`, ''],
];
const usages = ['digital signature', 'key encipherment', 'client auth', 'server auth', 'any', 'nonsense', ''];

function drawSpec(random: Random): JsonObject {
  return {
    request: some(random, 0.05)
      ? random.pick(['', 'not base64'])
      : drawPem(random, 'CERTIFICATE REQUEST', requestDer),
    signerName: some(random, 0.7) ? random.pick(signers.slice(0, 5)) : random.pick(signers),
    ...(some(random, 0.9)
      ? {
          usages: Array.from({ length: random.between(0, 3) }, () =>
            random.pick(some(random, 0.8) ? usages.slice(0, 4) : usages),
          ),
        }
      : {}),
    ...(some(random, 0.3) ? { expirationSeconds: random.pick([599, 600, 3600, -1, 0, 2_147_483_647]) } : {}),
    ...(some(random, 0.2) ? { username: 'other', groups: ['a'], uid: 'x', extra: { k: ['v'] } } : {}),
  };
}

function drawCondition(random: Random): JsonObject {
  return {
    type: some(random, 0.9)
      ? random.pick(['Approved', 'Denied', 'Failed', 'Mine'])
      : random.pick(['', 'bad type!']),
    ...(some(random, 0.9)
      ? { status: some(random, 0.8) ? 'True' : random.pick(['False', 'Unknown', 'x', '']) }
      : {}),
    ...(some(random, 0.6) ? { reason: random.pick(['R', 'S']) } : {}),
    ...(some(random, 0.4) ? { message: random.pick(['m', 'n']) } : {}),
    ...(some(random, 0.2) ? { lastUpdateTime: '2024-01-01T00:00:00Z' } : {}),
    ...(some(random, 0.2) ? { lastTransitionTime: '2024-01-01T00:00:00Z' } : {}),
  };
}

function drawStatus(random: Random): JsonObject {
  const conditions = Array.from({ length: random.between(0, 2) }, () => drawCondition(random));
  return {
    ...(some(random, 0.8) ? { conditions } : {}),
    ...(some(random, 0.5) ? { certificate: drawPem(random, 'CERTIFICATE', certificateDer) } : {}),
  };
}

/** Requests for certificates from their creation to their end: specs, approvals and certificates, right and wrong. */
export function signingRequests(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => signingRequest(random.fork(), at));
}

function signingRequest(random: Random, at: number): Case {
  const name = `signing-${at}`;
  const path = `${collection}/${name}`;
  const body = (spec: JsonObject): JsonObject => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec,
  });
  const create = (): Step => {
    const status = some(random, 0.1) ? { status: drawStatus(random) } : {};
    return { path: collection, method: 'POST', body: { ...body(drawSpec(random)), ...status } };
  };
  const sound: JsonObject = {
    request: Buffer.from(pem('CERTIFICATE REQUEST', requestDer)).toString('base64'),
    signerName: random.pick(signers.slice(0, 5)),
    usages: ['digital signature', 'client auth'],
  };
  return {
    name: `signing request ${at}`,
    steps: [
      create(),
      // Nothing, where one stands already.
      { path: collection, method: 'POST', body: body(sound) },
      ...Array.from({ length: random.between(3, 6) }, () => write(random, path)),
      { path },
      { path, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
      { path, method: 'DELETE' },
    ],
  };
}

function write(random: Random, path: string): Step | StepOf {
  const where = random.weighted({ approval: 4, status: 4, own: 2 });
  const under = where === 'own' ? path : `${path}/${where}`;
  const status = drawStatus(random);
  const more: JsonObject = where === 'own' ? { spec: drawSpec(random) } : { status };
  if (some(random, 0.2)) more['metadata'] = { labels: { [where]: 'x' } };
  switch (random.weighted({ put: 5, added: 4, merge: 3, strategic: 1 })) {
    case 'merge':
      return { path: under, method: 'PATCH', contentType: 'application/merge-patch+json', body: more };
    case 'strategic':
      return {
        path: under,
        method: 'PATCH',
        contentType: 'application/strategic-merge-patch+json',
        body: more,
      };
    case 'added': {
      const condition = drawCondition(random);
      return (answers) => ({ path: under, method: 'PUT', body: withCondition(lastOf(answers), condition) });
    }
    default:
      return (answers) => ({
        path: under,
        method: 'PUT',
        body: { ...lastOf(answers), ...withoutMetadata(more) },
      });
  }
}

function withoutMetadata({ metadata: _, ...rest }: JsonObject): JsonObject {
  return rest;
}

function withCondition(object: JsonObject, condition: JsonObject): JsonObject {
  const status = (object['status'] ?? {}) as JsonObject;
  const conditions = (status['conditions'] ?? []) as JsonValue[];
  return { ...object, status: { ...status, conditions: [...conditions, condition] } };
}

/** The object as it was answered last. */
function lastOf(answers: readonly RawAnswer[]): JsonObject {
  const found = answers.findLast(
    ({ status, json }) => status < 300 && json?.['kind'] === 'CertificateSigningRequest',
  );
  return { ...(found?.json as JsonObject | undefined) };
}
