import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { certificateRequestError } from '#api/builtin/validation/certificate-request.ts';
import { kubernetesEnvironment } from '#apimachinery/cel/environment.ts';
import { valueOfJson } from '#apimachinery/cel/json-values.ts';
import { compileCel } from '#apimachinery/cel/program.ts';
import { dynType } from '#apimachinery/cel/types.ts';
import { decodeJson } from '#apimachinery/decode-json.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { parseFieldSelector } from '#apimachinery/field-selector.ts';
import { goRegexp } from '#apimachinery/go-regexp/go-regexp.ts';
import { compileJsonPath } from '#apimachinery/jsonpath.ts';
import { parseLabelSelector } from '#apimachinery/label-selector.ts';
import { formatQuantity, parseQuantity } from '#apimachinery/quantity.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import { AuditPolicy } from '#apiserver/audit/audit-policy.ts';
import { parseAuthenticationConfiguration } from '#apiserver/authn/authentication-configuration.ts';
import { SigningKey, unverifiedClaims, verifiedClaims } from '#apiserver/authn/jwt.ts';
import { TokenFileAuthenticator } from '#apiserver/authn/token-file.ts';
import { negotiate, negotiateError } from '#apiserver/http/answers/negotiate.ts';
import { ClientFrameReader, tokenOfSubprotocols } from '#apiserver/http/watches/websocket.ts';
import { decodeProtobuf } from '#apiserver/protobuf/protobuf.ts';
import { kubectlBodies } from '#apiserver/protobuf/testing/protobuf-vectors.ts';
import { parseRequestInfo } from '#apiserver/request/parse-request-info.ts';
import { ContinueTokens } from '#apiserver/verbs/continue-token.ts';
import { parseDeletionOptions, parseListParameters, parseWriteParameters } from '#apiserver/verbs/options.ts';
import { parseKubeconfig } from '#client/kubeconfig.ts';
import { mutated, mutatedBytes } from './mutations.ts';
import { isRefusal, named, never, type Target, target } from './target.ts';

const urls = [
  '/api/v1/namespaces/default/pods/web-0/status?fieldManager=a&dryRun=All&fieldValidation=Strict',
  '/clusters/root:acme:shop/apis/apps/v1/deployments?labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5',
  '/api/v1/watch/pods?resourceVersion=12&allowWatchBookmarks=true&sendInitialEvents=true&timeoutSeconds=9',
  '/apis/example.org/v1/things?resourceVersionMatch=NotOlderThan&continue=abc&watch=1&pretty=true',
  '/api/v1/namespaces/a/pods/b?gracePeriodSeconds=-1&propagationPolicy=Orphan&orphanDependents=true',
  'https://host:6443/openapi/v3/apis/apps/v1?hash=abc',
  '/clusters/*/api/v1/secrets',
];

const manifest = `# a comment
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {"a": 'b'}}
spec:
  replicas: 0o17
  template: &t
    spec:
      containers:
      - name: c
        args: [a, "b\\n", 'c', 1e3, 0x1F, ~, yes, 2020-01-01]
        command: |
          echo hi
  other: *t
`;

const celExpressions = [
  'self.spec.replicas <= 3 && self.metadata.name.startsWith("a")',
  'self.items.all(x, x.name in ["a", "b"] || size(x.name) > 3)',
  "has(self.a) ? self.a.map(x, x * 2).filter(x, x > 1).exists(y, y == 4) : 1.5 > double('2')",
  "self.name.matches('^[a-z]+$') && duration('1h') > duration('1m') && timestamp('2020-01-01T00:00:00Z').getFullYear() == 2020",
  "quantity('1Gi').isGreaterThan(quantity('1Mi')) && url('https://a/b').getHost() == 'a' && ip('::1').family() == 6",
  "optional.of(1).orValue(2) == 1 && {'a': 1}[?'b'].hasValue() && [1, 2].sum() == 3 && 'a,b'.split(',')[0] == b'a'.size().string()",
  '"%s is %d".format(["a", 1]) + r"\\d" + \'\'\'x\'\'\'',
];

const variables = new Map([
  ['self', { type: dynType }],
  ['oldSelf', { type: dynType }],
]);
const podDefinition = builtinDefinitions().find(({ resource }) => resource === 'pods') as ResourceDefinition;
const pods = { definition: podDefinition, version: podDefinition.versions[0] as ResourceVersion };
const celObject = valueOfJson(
  { spec: { replicas: 2 }, metadata: { name: 'abc' }, items: [{ name: 'a' }], a: [1, 2], name: 'x' },
  undefined,
);

const key = new SigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
const token = key.sign({
  iss: 'https://a',
  sub: 'system:serviceaccount:a:b',
  aud: ['x'],
  exp: 2_000_000_000,
});
const continueTokens = new ContinueTokens('fuzz');
const continueToken = continueTokens.encode(
  { revision: 5, after: '/core/pods/root/a/b' as never },
  '/core/pods/',
  '',
);

const certificateRequest =
  'MIHyMIGZAgEAMDcxFTATBgNVBAoTDHN5c3RlbTpub2RlczEeMBwGA1UEAxMVc3lzdGVtOm5vZGU6ZXhhbXBsZS1hMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZwMt/Lr0xAlpO3Xx4Hq0CrAH7uP5Zl0XQ0mDkVYFhV9WZQm7yD0yXgUyQf4l5k0o0Q7mX6m8z9m8b9n7n6n5n6AAMAoGCCqGSM49BAMCA0gAMEUCIQD';
const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${certificateRequest}==\n-----END CERTIFICATE REQUEST-----\n`;

const kubeconfig = `apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://localhost:6443/clusters/root", certificate-authority-data: YQ==}}]
users: [{name: u, user: {token: x, client-certificate-data: YQ==, client-key-data: YQ==}}]
`;
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, users: [a], verbs: [get], resources: [{group: "", resources: [pods/log, "*"]}]}]
`;
const authenticationConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer: {url: "https://a.example", audiences: [x]}
  claimMappings: {username: {claim: sub, prefix: "p:"}, groups: {claim: groups, prefix: ""}}
`;

/** Decoders of text and bytes. */
export const textTargets: readonly Target[] = [
  target(
    'url',
    fc.tuple(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'X'), mutated(urls)),
    ([method, url]) => {
      const info = parseRequestInfo(method, url);
      const { query } = info;
      for (const parse of [
        () => parseListParameters(query, info.verb === 'watch'),
        () => parseWriteParameters(query, 'PatchOptions', true),
        () => parseDeletionOptions(undefined, query),
        () => parseLabelSelector(query.get('labelSelector') ?? ''),
        () => parseFieldSelector(query.get('fieldSelector') ?? ''),
      ]) {
        refusedOrNot(parse);
      }
    },
  ),
  target(
    'label selector',
    mutated(['a=b,c!=d,e in (f,g),!h,i notin (j),k>1,l<2', 'example.com/a==b', '']),
    (text) => parseLabelSelector(text).matches({ a: 'b', k: '3' }),
  ),
  target('field selector', mutated(['metadata.name=a\\,b,spec.nodeName!=c', 'a==b\\=c']), parseFieldSelector),
  target(
    'JSON path',
    mutated([
      '{.status.conditions[?(@.type=="Ready")].status}',
      "$.a['b.c'][0:2]..d[-1]",
      '.a\\.b[*]',
      "['a','b']",
    ]),
    (text) =>
      compileJsonPath(text).find({
        status: { conditions: [{ type: 'Ready', status: 'x' }] },
        a: [1, { d: 2 }],
      }),
    named('RangeError'),
  ),
  target(
    'quantity',
    mutated(['1.5Gi', '250m', '-1e3', '100n', '.5', '1E', '12345678901234567890Ei']),
    (text) => formatQuantity(parseQuantity(text)),
    named('RangeError'),
  ),
  target('time', mutated(['2020-01-01T00:00:00Z', '2020-02-30T24:61:61.999999999+14:00']), parseTime, never),
  target(
    'regular expression',
    mutated([
      '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      '(?i)a{2,5}|(b|c)+?\\p{Greek}',
      '[[:^digit:]\\d\\Q.\\E]',
      '(a|aa)+$',
    ]),
    (text) => goRegexp(text).test(`${'a'.repeat(200)}b-9Ωſ`),
    named('RegexpSyntaxError', 'RegexpCostError'),
  ),
  target(
    'JSON',
    mutated(['{"a":[1,-2.5e3,"\\u0041\\n",true,null,{"b":{}}],"a":2}', '[[[[]]]]', '"x"']),
    (text) => {
      const decoded = decodeJson(Buffer.from(text));
      decoded.duplicateFields();
    },
  ),
  target('JSON bytes', mutatedBytes([Buffer.from('{"ä":["€",{"b":"😀"}]}')]), (bytes) =>
    decodeJson(bytes).duplicateFields(),
  ),
  target('YAML', mutated([manifest, 'a: {b: [c, {d: e}]}\n', '- 1\n- "x"\n', '{"a": 1}']), (text) =>
    decodeYaml(Buffer.from(text)).duplicateFields(),
  ),
  target(
    'protobuf',
    mutatedBytes(Object.values(kubectlBodies).map(({ base64 }) => Buffer.from(base64, 'base64'))),
    decodeProtobuf,
  ),
  target(
    'CEL',
    mutated(celExpressions),
    (text) => {
      const program = compileCel(text, kubernetesEnvironment(variables));
      return program.run(() => celObject, 1_000_000);
    },
    named('CelSyntaxError', 'CelTypeError', 'CelCostError'),
  ),
  target(
    'certificate request',
    mutated([pem]),
    (text) => certificateRequestError(Buffer.from(text, 'latin1').toString('base64')),
    never,
  ),
  target(
    'token',
    mutated([token, 'a.b.c', `${Buffer.from('{}').toString('base64url')}..`]),
    (text) => [unverifiedClaims(text), verifiedClaims(text, [key])],
    isRefusal,
  ),
  target(
    'token file',
    mutated(['a,b,c,"d,e"\nf,g,h\n', '"x""y",u,1\r\n']),
    (text) => new TokenFileAuthenticator(text),
    named('TokenFileError'),
  ),
  target('continue token', mutated([continueToken]), (text) =>
    continueTokens.decode(text, '/core/pods/', ''),
  ),
  target(
    'Accept',
    mutated([
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;q=0.5,*/*',
      'application/yaml, text/*;q=x',
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,*/*;q=0.1',
    ]),
    (text) => {
      negotiateError(text);
      refusedOrNot(() => negotiate(text, 'list', { served: pods, subresource: '' }));
    },
  ),
  target(
    'WebSocket frames',
    mutatedBytes([
      Buffer.from([0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e]),
      Buffer.from([0x88, 0x80, 0, 0, 0, 0]),
    ]),
    (bytes) => {
      const reader = new ClientFrameReader();
      for (let at = 0; at < bytes.length; at += 7) reader.push(bytes.subarray(at, at + 7));
    },
    never,
  ),
  target(
    'WebSocket subprotocols',
    mutated(['base64url.bearer.authorization.k8s.io.dG9rZW4, v4.channel.k8s.io']),
    tokenOfSubprotocols,
  ),
  target(
    'kubeconfig',
    mutated([kubeconfig]),
    (text) => parseKubeconfig(text, { baseDirectory: '/nonexistent', source: 'x' }),
    named('KubeconfigError'),
  ),
  target('audit policy', mutated([auditPolicy]), (text) => AuditPolicy.parse(text), named('Error')),
  target(
    'authentication configuration',
    mutated([authenticationConfiguration]),
    parseAuthenticationConfiguration,
    named('Error'),
  ),
];

function refusedOrNot(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
