import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { objectsAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { freePort } from '../harness/free-port.ts';
import { FrontProxy } from '../harness/front-proxy.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import { RealEdge } from '../harness/real-edge.ts';
import { until } from '../harness/until.ts';
import {
  conditionsOf,
  makeApiService,
  makeService,
  scriptedRequests,
  serviceHost,
  sides,
  upgraded,
  wholeAnswer,
  widgets,
} from './aggregation.ts';
import { differencesOf } from './differences.ts';
import { definition, extendedGroup, extendedSteps } from './extended.ts';
import { explained } from './known.ts';
import { knownOfAggregation } from './known-aggregation.ts';
import { type NormalAnswer, Normaliser } from './normalise.ts';
import { onlyNamed, oracleProgram } from './oracle-program.ts';
import { namespace, Pair } from './pair.ts';
import { Report } from './report.ts';
import { ScriptedExtension, scriptedGroup } from './scripted-extension.ts';

// APIServices of a workspace beside those of a kube-apiserver (KUBERNETES.md O1): the same servers stand behind both.
const binary = oracleProgram();
if (binary !== undefined) compareAggregation(binary);

function compareAggregation(program: string): void {
  describe('aggregation as kube-apiserver has it', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let proxy: FrontProxy;
    let pair: Pair;
    let authorities: readonly string[];
    let scripted: ScriptedExtension;

    before(async () => {
      proxy = await FrontProxy.make();
      const ours = ['--service-networks', '127.0.0.1/32'];
      pair = await Pair.start(program, 'memory', { oracle: proxy.flags, ours });
      const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
      const { json } = await pair.askOurs({ path });
      authorities = [proxy.authorityPem, textAt(json as JsonObject, 'data', 'requestheader-client-ca-file')];
      scripted = await ScriptedExtension.start([serviceHost('scripted')], authorities);
      await makeService(pair, 'scripted');
      const { port, caBundle } = scripted;
      await makeApiService(pair, scriptedGroup, { service: 'scripted', port, caBundle });
      await conditionsOf(pair, `v1.${scriptedGroup}`, 'Passed');
    });
    after(async () => {
      await pair?.[Symbol.asyncDispose]();
      await scripted?.[Symbol.asyncDispose]();
      await proxy?.[Symbol.asyncDispose]();
    });

    const compared = (name: string, compare: (report: Report) => Promise<void>) =>
      test(name, async () => {
        const report = new Report();
        await compare(report);
        console.log(`${name}: ${report.summary()}`);
        assert.equal(report.different, 0);
      });
    const add = (
      report: Report,
      name: string,
      request: RawRequest,
      oracle: NormalAnswer,
      ours: NormalAnswer,
    ) => {
      const exchange = { request, oracle, ours };
      report.add(name, exchange, explained(differencesOf(oracle, ours), exchange, knownOfAggregation).left);
    };
    const ask = async (report: Report, request: RawRequest, name = titleOf(request)) => {
      const answers = await Promise.all(
        sides.map(async (side) => {
          try {
            return wholeAnswer(new Normaliser(), await pair.ask(side, request));
          } catch (error) {
            // An answer that breaks off.
            return { status: 0, headers: {}, body: error instanceof Error ? error.message : String(error) };
          }
        }),
      );
      add(report, name, request, answers[0] as NormalAnswer, answers[1] as NormalAnswer);
    };
    const tell = (report: Report, name: string, oracle: JsonValue, ours: JsonValue) => {
      const answer = (body: JsonValue): NormalAnswer => ({ status: 200, headers: {}, body });
      add(report, name, { path: name }, answer(oracle), answer(ours));
    };

    compared('what is passed on and back', async (report) => {
      const requests = onlyNamed(
        [...scriptedRequests()].map((request) => ({ name: titleOf(request), request })),
      );
      for (const { request, name } of requests) await ask(report, request, name);
      await ask(report, { path: `${widgets}/cut` });
    });

    compared('other protocols', async (report) => {
      for (const protocol of ['websocket', 'SPDY/3.1', 'h2c'])
        for (const name of ['echo', 'refused', 'plain', 'moved', 'gone']) {
          const [oracle, ours] = await Promise.all(sides.map((side) => upgraded(pair, side, name, protocol)));
          const path = `${widgets}/${name}`;
          add(report, `${protocol} ${name}`, { path }, oracle as NormalAnswer, ours as NormalAnswer);
        }
    });

    const discovered = async (report: Report, name: string) => {
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      const { oracle, ours } = await pair.send({ path: '/apis', headers: { accept } });
      const [theirs, own] = [oracle, ours].map(({ json }) =>
        objectsAt(json as JsonObject, 'items').find(
          (one) => textAt(one, 'metadata', 'name') === scriptedGroup,
        ),
      );
      tell(report, name, theirs ?? null, own ?? null);
    };

    compared('discovery', async (report) => {
      await discovered(report, 'aggregated');
      const groups = await pair.send({ path: '/apis' });
      const [oracleGroups, ourGroups] = [groups.oracle, groups.ours].map(({ json }) => {
        const all = objectsAt(json as JsonObject, 'groups');
        return all.find((group) => textAt(group, 'name') === scriptedGroup) ?? null;
      });
      tell(report, 'groups', oracleGroups ?? null, ourGroups ?? null);
      await ask(report, { path: '/apis/apiregistration.k8s.io/v1/apiservices/v1.scripted.example.org' });
    });

    compared('a server that takes its time', async (report) => {
      await Promise.all([
        ask(report, { path: `${widgets}/slow?timeout=2s` }),
        ask(report, { path: `${widgets}/slow?timeout=2s`, body: '{}' }),
        ask(report, { path: `${widgets}/slow?timeout=2s`, method: 'DELETE' }),
      ]);
      scripted.discoveryCode = undefined;
      await Promise.all([
        ask(report, { path: `/apis/${scriptedGroup}/v1` }),
        ask(report, { path: `/apis/${scriptedGroup}/v1?timeout=1s` }),
      ]);
      scripted.discoveryCode = 200;
      await conditionsOf(pair, `v1.${scriptedGroup}`, 'Passed');
    });

    compared('conditions', async (report) => {
      const told = async (name: string, reason: string) => {
        const { oracle, ours } = await conditionsOf(pair, name, reason);
        const plain = (one: JsonObject | undefined) => ({ ...one, lastTransitionTime: null });
        tell(report, `${name} ${reason}`, plain(oracle), plain(ours));
      };
      const { port, caBundle } = scripted;
      const patch = (path: string, body: JsonObject) =>
        pair.send({
          path,
          method: 'PATCH',
          contentType: 'application/merge-patch+json',
          body: JSON.stringify(body),
        });
      const group = 'later.example.org';
      const name = `v1.${group}`;
      await makeApiService(pair, group, { service: 'later', port, caBundle });
      await told(name, 'ServiceNotFound');
      await makeService(pair, 'later', { ports: [{ port: port + 1 }] });
      await told(name, 'ServicePortError');
      const service = `/api/v1/namespaces/${namespace}/services/later`;
      await patch(service, { spec: { ports: [{ port, name: 'https' }] } });
      await told(name, 'EndpointsNotFound');
      const slice: JsonObject = {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: { name: 'later-1', labels: { 'kubernetes.io/service-name': 'later' } },
        endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready: false } }],
        ports: [{ name: 'https', port }],
      };
      const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
      await pair.send({ path: slices, body: JSON.stringify(slice) });
      await told(name, 'MissingEndpoints');
      await pair.send({ path: `${slices}/later-1`, method: 'DELETE' });
      await told(name, 'EndpointsNotFound');
      await patch(service, {
        spec: {
          type: 'ExternalName',
          externalName: 'localhost',
          clusterIP: null,
          clusterIPs: null,
          ports: null,
        },
      });
      // Its certificate is for another name.
      await told(name, 'FailedDiscoveryCheck');
      await makeApiService(pair, 'another.example.org', { service: 'later', port });
      await told('v1.another.example.org', 'FailedDiscoveryCheck');
      await makeApiService(pair, 'nobody.example.org', {
        service: 'scripted',
        port: await freePort(),
        caBundle,
      });
      await told('v1.nobody.example.org', 'FailedDiscoveryCheck');
      const unknown = Buffer.from(authorities[0] ?? '').toString('base64');
      await makeApiService(pair, scriptedGroup, { service: 'scripted', port, caBundle: unknown }, 'v2');
      await told(`v2.${scriptedGroup}`, 'FailedDiscoveryCheck');
      await makeApiService(pair, scriptedGroup, { service: 'scripted', port }, 'v3');
      await told(`v3.${scriptedGroup}`, 'FailedDiscoveryCheck');
      for (const version of ['v2', 'v3'])
        await pair.send({
          path: `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${scriptedGroup}`,
          method: 'DELETE',
        });
      scripted.discoveryCode = 500;
      await told(`v1.${scriptedGroup}`, 'FailedDiscoveryCheck');
      scripted.discoveryCode = 200;
      await told(`v1.${scriptedGroup}`, 'Passed');
    });

    compared('a server that goes and comes', async (report) => {
      await scripted.stop();
      await ask(report, { path: widgets }, 'gone');
      await conditionsOf(pair, `v1.${scriptedGroup}`, 'FailedDiscoveryCheck');
      for (const path of [widgets, `${widgets}?watch=true`, `/apis/${scriptedGroup}/v1`])
        await ask(report, { path }, `away: ${path}`);
      const [oracle, ours] = await Promise.all(
        sides.map((side) => upgraded(pair, side, 'echo', 'websocket')),
      );
      add(report, 'away: upgrade', { path: widgets }, oracle as NormalAnswer, ours as NormalAnswer);
      await discovered(report, 'away: aggregated');
      await scripted.resume();
      await conditionsOf(pair, `v1.${scriptedGroup}`, 'Passed');
      await ask(report, { path: widgets }, 'back');
    });

    compared('a kube-apiserver behind both', async (report) => {
      const authorityFile = await FrontProxy.fileOf(authorities);
      await using extension = await RealEdge.start(program, [
        `--requestheader-client-ca-file=${authorityFile.path}`,
        '--requestheader-username-headers=X-Remote-User',
        '--requestheader-uid-headers=X-Remote-Uid',
        '--requestheader-group-headers=X-Remote-Group',
        '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      ]);
      await using _ = authorityFile;
      await definition(extension.client);
      await makeService(pair, 'extended');
      const port = Number(new URL(extension.connection.server).port);
      await makeApiService(pair, extendedGroup, { service: 'extended', port });
      await conditionsOf(pair, `v1.${extendedGroup}`, 'Passed');
      const answered = new Map<string, readonly { request: RawRequest; answer: NormalAnswer }[]>();
      for (const side of sides) {
        const normaliser = new Normaliser();
        const told: { request: RawRequest; answer: NormalAnswer }[] = [];
        for (const request of extendedSteps()) {
          const answer = withoutRevisions(wholeAnswer(normaliser, await pair.ask(side, request)));
          told.push({ request, answer });
        }
        answered.set(side, told);
      }
      const ours = answered.get('ours') ?? [];
      for (const [at, { request, answer }] of (answered.get('oracle') ?? []).entries())
        add(report, titleOf(request), request, answer, ours[at]?.answer as NormalAnswer);
      const group = async (accept: string) => {
        const found = await pair.send({ path: '/apis', headers: { accept } });
        const [theirs, own] = [found.oracle, found.ours].map(({ json }) =>
          objectsAt(json as JsonObject, 'items').find(
            (one) => textAt(one, 'metadata', 'name') === extendedGroup,
          ),
        );
        return { theirs: theirs ?? null, own: own ?? null };
      };
      const aggregated = await until('discovered', async () => {
        const found = await group('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
        return JSON.stringify(found.own).includes('gears') && JSON.stringify(found.theirs).includes('gears')
          ? found
          : undefined;
      });
      tell(report, 'aggregated', aggregated.theirs, aggregated.own);
      for (const path of ['/openapi/v3', '/openapi/v2']) {
        const both = await until(`${path} has it`, async () => {
          const { oracle, ours: own } = await pair.send({ path });
          const parts = [oracle, own].map(({ json }) => openApiOf(json as JsonObject));
          return parts.every((part) => JSON.stringify(part).includes(extendedGroup)) ? parts : undefined;
        });
        tell(report, path, both[0] as JsonObject, both[1] as JsonObject);
      }
      const { oracle, ours: own } = await pair.send({ path: `/openapi/v3/apis/${extendedGroup}/v1` });
      add(
        report,
        'its document',
        { path: `/openapi/v3/apis/${extendedGroup}/v1` },
        wholeAnswer(new Normaliser(), oracle),
        wholeAnswer(new Normaliser(), own),
      );
    });
  });
}

/** The events of a watch, of one side after the other. */
function withoutRevisions(answer: NormalAnswer): NormalAnswer {
  if (typeof answer.body !== 'string') return answer;
  return { ...answer, body: answer.body.replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"…"') };
}

/** What of an OpenAPI document, or their index, is of the server behind. */
function openApiOf(document: JsonObject): JsonObject {
  const pick = (of: string, matches: (name: string) => boolean): JsonObject => {
    const all = (document[of] ?? {}) as JsonObject;
    return Object.fromEntries(Object.entries(all).filter(([name]) => matches(name)));
  };
  return {
    paths: pick('paths', (name) => name.includes(extendedGroup)),
    definitions: pick('definitions', (name) => name.includes('extended')),
  };
}

function titleOf({ method, path, body, headers }: RawRequest): string {
  const claims = Object.keys(headers ?? {}).find((name) => /^(?:impersonate|x-remote|cookie)/.test(name));
  return `${method ?? (body === undefined ? 'GET' : 'POST')} ${path}${claims === undefined ? '' : ` ${claims}`}`;
}
