import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { KubeconfigError, loadKubeconfigs, parseKubeconfig } from './kubeconfig.ts';

const options = { baseDirectory: '/nonexistent', source: 'the file' };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const good = `
current-context: one
clusters:
- name: c
  cluster: {server: "https://127.0.0.1:6443/clusters/root", certificate-authority-data: ${base64('CA')}}
- name: p
  cluster: {server: "https://127.0.0.1:6443", proxy-url: "socks5://127.0.0.1:1080"}
- name: w
  cluster: {server: "https://127.0.0.1:6443", proxy-url: "127.0.0.1"}
users:
- name: u
  user: {client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}}
- name: t
  user: {token: secret}
- name: e
  user: {exec: {command: evil}}
- name: b
  user: {username: admin, password: secret}
contexts:
- name: one
  context: {cluster: c, user: u}
- name: two
  context: {cluster: c, user: t}
- name: three
  context: {cluster: c, user: e}
- name: four
  context: {cluster: absent, user: t}
- name: six
  context: {cluster: c, user: b}
- name: seven
  context: {cluster: p, user: t}
- name: eight
  context: {cluster: w, user: t}
`;

test('the current context, or the one asked for', async () => {
  assert.deepEqual(await parseKubeconfig(good, options), {
    server: 'https://127.0.0.1:6443/clusters/root',
    caPem: 'CA',
    certificatePem: 'CERT',
    keyPem: 'KEY',
    token: undefined,
    tlsServerName: undefined,
    insecureSkipTlsVerify: false,
  });
  assert.equal((await parseKubeconfig(good, { ...options, context: 'two' })).token, 'secret');
  const proxied = await parseKubeconfig(good, { ...options, context: 'seven' });
  assert.equal(proxied.proxyUrl, 'socks5://127.0.0.1:1080');
});

test('of several files the first that has an entry counts, and files are beside the one that names them', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-kubeconfig-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [first, second] = [path.join(folder, 'first'), path.join(folder, 'below', 'second')];
  await mkdir(path.join(folder, 'below'));
  await writeFile(
    first,
    `
current-context: ""
clusters:
- name: c
  cluster: {server: "https://first"}
users:
- name: u
  user: {token: first}
contexts:
- name: mine
  context: {cluster: c, user: u}
`,
  );
  await writeFile(path.join(folder, 'below', 'ca.pem'), 'BELOW');
  await writeFile(
    second,
    `
current-context: theirs
clusters:
- name: c
  cluster: {server: "https://hidden"}
- name: d
  cluster: {server: "https://second", certificate-authority: ca.pem}
contexts:
- name: mine
  context: {cluster: d, user: absent}
- name: theirs
  context: {cluster: d, user: u}
`,
  );
  const mine = await loadKubeconfigs([first, second], 'mine');
  assert.deepEqual([mine.server, mine.token], ['https://first', 'first']);
  const theirs = await loadKubeconfigs([first, second]);
  assert.deepEqual([theirs.server, theirs.caPem, theirs.token], ['https://second', 'BELOW', 'first']);
  await assert.rejects(loadKubeconfigs([first, second], 'other'), {
    message: `${first}, ${second} has no context "other"; it has: mine, theirs`,
  });
});

const refused: readonly (readonly [string, string, string | undefined, RegExp])[] = [
  ['not YAML', 'a: [', undefined, /^the file is not valid YAML: .* at line 1, column \d+$/],
  ['no such context', good, 'five', /no context "five"; it has: one, two, three, four, six, seven, eight/],
  ['no such cluster', good, 'four', /no cluster "absent"/],
  ['an exec plugin would run a foreign program', good, 'three', /exec plugin/],
  ['a username and password would be left out in silence', good, 'six', /username and password/],
  ['a proxy that is no URL', good, 'eight', /proxy-url that is no URL/],
  ['empty', '', undefined, /no context/],
];
for (const [name, text, context, message] of refused) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(parseKubeconfig(text, { ...options, context }), (error: unknown) => {
      assert.ok(error instanceof KubeconfigError);
      assert.match(error.message, message);
      return true;
    });
  });
}
