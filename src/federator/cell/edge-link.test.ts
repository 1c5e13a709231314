// docs/federation-contract.md: FO3
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import type { Cell } from '#api/federation/cell.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type Claim, claimName } from '../edge/edge-claim.ts';
import { EdgePace } from '../edge/edge-pace.ts';
import { Wheel } from '../wheel.ts';
import { defaultCellLimits } from './cell-limits.ts';
import { CellMetrics } from './cell-metrics.ts';
import { CellWorkspace } from './cell-workspace.ts';
import type { Edge } from './edge.ts';
import { EdgeLink } from './edge-link.ts';
import { Withdrawal } from './withdrawal.ts';

const mine: Claim = {
  controlPlaneId: 'here',
  cellName: 'a',
  cellUid: 'u',
  incarnationId: 'i',
  clusterId: 'c',
};

/** An edge of which the test says whose it is, how far its store has come, and what may be done there. */
class FakeEdge {
  claim: Claim | undefined = { ...mine };
  revision = '1000';
  mayList = true;
  isAway = false;
  /** How often it was looked at. */
  looks = 0;
  /** Of which it is a workspace. */
  controlPlaneId = '';
  /** Deletions that it has yet to answer. */
  readonly held: (() => void)[] = [];
  /** Connections that were closed. */
  closed = 0;

  client(): KubeClient {
    const object = (): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cellplane-claim', namespace: 'cellplane-system' },
      data: { ...this.claim },
    });
    return {
      ...new ScriptedClient().client,
      raw: async ({ path }): Promise<JsonValue> => {
        if (path === '/version') return { gitVersion: 'v1.30.0' };
        if (path === '/.well-known/cellplane') {
          if (this.controlPlaneId === '') throw new ApiError('NotFound', 'the server could not find it');
          return { controlPlaneId: this.controlPlaneId, incarnationId: 'i' };
        }
        return { kind: 'APIGroupDiscoveryList', items: [] };
      },
      list: async () => {
        this.looks++;
        if (this.isAway) throw new ApiError('ServiceUnavailable', 'away', { cause: new Error('reset') });
        if (!this.mayList) throw new ApiError('Forbidden', 'no');
        const items = this.claim === undefined ? [] : [object()];
        return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: this.revision }, items };
      },
      get: async () => {
        if (this.isAway) throw new ApiError('ServiceUnavailable', 'away', { cause: new Error('reset') });
        if (this.claim === undefined) throw new ApiError('NotFound', 'no');
        return object();
      },
      create: async (_collection, created) => {
        const data = created['data'];
        if (data !== undefined) this.claim = data as unknown as Claim;
        return created;
      },
      delete: async (ref) => {
        if (ref.name === claimName) {
          if (this.isAway) throw new ApiError('ServiceUnavailable', 'away', { cause: new Error('reset') });
          this.claim = undefined;
          return {};
        }
        return new Promise((resolve) => this.held.push(() => resolve({})));
      },
      close: async () => {
        this.closed++;
      },
    };
  }
}

const federationClient: KubeClient = {
  ...new ScriptedClient().client,
  get: async () => ({
    apiVersion: 'core.kcp.io/v1alpha1',
    kind: 'LogicalCluster',
    metadata: { name: 'cluster', annotations: { [clusterAnnotation]: mine.clusterId } },
    status: { phase: 'Ready' },
  }),
  raw: async () => ({ controlPlaneId: mine.controlPlaneId, incarnationId: mine.incarnationId }),
};

const links: EdgeLink[] = [];
after(() => Promise.all(links.map((link) => link.stop())));

/** A link to `edge`; `look` lets the time until the next look pass, `made` are the connections so far. */
async function connected(edge: FakeEdge) {
  const all = linkTo(edge);
  await all.look();
  assert.equal(all.link.health.reason, 'Reachable');
  assert.equal(all.made.length, 1);
  return all;
}

function linkTo(edge: FakeEdge, clock = new ManualClock(), random?: () => number) {
  const made: Claim[] = [];
  const clients: KubeClient[] = [];
  const told = { again: 0 };
  const lines: string[] = [];
  const copies = { count: 1 };
  const notices: string[] = [];
  const notice = {
    claiming: async () => {
      notices.push(`claiming ${edge.claim?.cellUid ?? 'nobody’s'}`);
    },
    released: async () => {
      notices.push(`released ${edge.claim?.cellUid ?? 'nobody’s'}`);
    },
  };
  const note = (_fields: object, message: string) => lines.push(message);
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: mine.cellName, uid: mine.cellUid },
    spec: { apiEndpoint: 'https://edge.invalid' },
  };
  const { edgeReadBytesPerSecond, edgeReadBurstBytes, edgeEventMsPerSecond, edgeEventBurstMs } =
    defaultCellLimits;
  const withdrawal = new Withdrawal({
    cell: () => cell,
    isAwaitingCopy: () => false,
    hasNoCopies: () => copies.count === 0,
    notice,
  });
  const link = new EdgeLink({
    cell: () => cell,
    notice,
    withdrawal,
    federationClient,
    workspace: new CellWorkspace(federationClient, 'root:cells:a'),
    connectEdge: () => edge.client(),
    controlPlaneId: mine.controlPlaneId,
    pace: new EdgePace({
      clock,
      bytesPerSecond: edgeReadBytesPerSecond,
      burstBytes: edgeReadBurstBytes,
      eventMsPerSecond: edgeEventMsPerSecond,
      eventBurstMs: edgeEventBurstMs,
    }),
    metrics: new CellMetrics(),
    makeEdge: (edgeClient, kinds, claim) => {
      made.push(claim);
      clients.push(edgeClient);
      const parts: Partial<Edge> = {
        claim,
        kinds,
        isInDoubt: false,
        brokenWatch: () => undefined,
        reviewKinds: () => Promise.resolve(),
        close: () => Promise.resolve(),
      };
      return parts as Edge;
    },
    onConnected: () => {},
    onAnswersAgain: () => told.again++,
    onHealth: () => {},
    wheel: new Wheel(clock),
    clock,
    logger: { ...silentLogger, info: note, warn: note },
    limits: defaultCellLimits,
    random,
  });
  links.push(link);
  link.start();
  const look = () => clock.advanceAsync(31_000, 1_000);
  return { link, cell, clients, made, look, told, lines, copies, notices };
}

test('an edge whose store was put back is connected to anew, once: its watches would tell nothing', async () => {
  const edge = new FakeEdge();
  const { link, made, look } = await connected(edge);
  edge.revision = '2000';
  await look();
  assert.equal(made.length, 1);
  edge.revision = '1999';
  await look();
  assert.equal(made.length, 2);
  assert.equal(link.health.reason, 'Reachable');
  await look();
  assert.equal(made.length, 2);
});

test('so is one whose claim is gone, which has it again; one that has become another’s is let go of', async () => {
  const edge = new FakeEdge();
  const { link, made, look } = await connected(edge);
  edge.claim = undefined;
  await look();
  assert.equal(made.length, 2);
  assert.deepEqual(edge.claim, mine);
  edge.claim = { ...mine, cellUid: 'another' };
  await look();
  assert.equal(link.health.reason, 'ForeignClaim');
  assert.equal(link.edge, undefined);
});

test('a workspace of the control plane itself is refused and not claimed; one of another is an edge as any', async () => {
  const edge = new FakeEdge();
  edge.claim = undefined;
  edge.controlPlaneId = mine.controlPlaneId;
  const { link, made, look } = linkTo(edge);
  await look();
  assert.deepEqual([link.health.reason, made.length, edge.claim], ['OwnControlPlane', 0, undefined]);
  edge.controlPlaneId = 'elsewhere';
  await look();
  assert.deepEqual([link.health.reason, made.length, edge.claim], ['Reachable', 1, mine]);
});

test('credentials that may read the claim and not list ConfigMaps are enough', async () => {
  const edge = new FakeEdge();
  edge.mayList = false;
  const { made, look } = await connected(edge);
  edge.revision = '1';
  await look();
  assert.equal(made.length, 1);
});

test('that an edge answers again is told once, when it is looked at after it was away', async () => {
  const edge = new FakeEdge();
  const { link, look, told } = await connected(edge);
  const before = told.again;
  await look();
  edge.isAway = true;
  // The first of three failures may come at the end of the time until the next look.
  await look();
  await look();
  assert.equal(link.health.reachable, 'False');
  assert.equal(told.again, before);
  edge.isAway = false;
  await look();
  await look();
  assert.equal(link.health.reachable, 'True');
  assert.equal(told.again, before + 1);
});

test('the log tells when an edge went and when it came back, once each', async () => {
  const edge = new FakeEdge();
  const { look, lines } = await connected(edge);
  await look();
  assert.deepEqual(lines, []);
  edge.isAway = true;
  await look();
  await look();
  assert.deepEqual(lines, ['the edge cannot be used']);
  edge.isAway = false;
  await look();
  await look();
  assert.deepEqual(lines, ['the edge cannot be used', 'the edge can be used again']);
});

test('cells that came at the same moment are looked at one after the other from then on, as often as before', async () => {
  const clock = new ManualClock();
  const edges = Array.from({ length: 60 }, () => new FakeEdge());
  for (const [index, edge] of edges.entries()) linkTo(edge, clock, () => index / edges.length);
  const looksIn = async (seconds: number): Promise<number> => {
    const before = edges.reduce((sum, { looks }) => sum + looks, 0);
    await clock.advanceAsync(seconds * 1_000, 100);
    return edges.reduce((sum, { looks }) => sum + looks, 0) - before;
  };
  await looksIn(45);
  const inEach: number[] = [];
  for (let second = 0; second < 30; second++) inEach.push(await looksIn(1));
  assert.ok(Math.max(...inEach) <= 4, `looks in each second: ${inEach.join(' ')}`);
  assert.equal(await looksIn(60), 120);
});

test('by other credentials it is the same edge: what is on its way by the former ones is answered before they are let go of', async () => {
  const edge = new FakeEdge();
  const { link, cell, clients, made, look } = await connected(edge);
  const gvr = { group: '', version: 'v1', resource: 'configmaps' };
  const deleted = clients[0]?.delete({ cluster: undefined, gvr, namespace: 'n', name: 'a' });
  assert.equal(edge.held.length, 1);
  cell.spec = { ...cell.spec, proxyURL: 'http://proxy.invalid' };
  link.refresh();
  await look();
  assert.equal(made.length, 2);
  assert.equal(edge.closed, 0);
  edge.held[0]?.();
  assert.deepEqual(await deleted, {});
  await look();
  assert.equal(edge.closed, 1);
});

test('a Cell is told before its edge is claimed; an edge that is another’s is not claimed', async () => {
  const edge = new FakeEdge();
  edge.claim = undefined;
  const { look, notices } = linkTo(edge);
  await look();
  assert.deepEqual([notices, edge.claim], [['claiming nobody’s'], mine]);
  const foreign = new FakeEdge();
  foreign.claim = { ...mine, cellUid: 'another' };
  const refused = linkTo(foreign);
  await refused.look();
  assert.deepEqual([refused.link.health.reason, refused.notices], ['ForeignClaim', []]);
});

/** The Cell is being deleted, and all of it is to go from the edge. */
function withdraw(cell: Cell): void {
  cell.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  cell.spec = { ...cell.spec, deletionPolicy: 'Withdraw' };
}

test('the claim of a withdrawn cell goes with its last copy, and nobody makes it again', async () => {
  const edge = new FakeEdge();
  const { link, cell, copies, notices, made, look } = await connected(edge);
  withdraw(cell);
  link.lookNow();
  await look();
  assert.deepEqual(edge.claim, mine, 'a copy is left');
  copies.count = 0;
  link.lookNow();
  await look();
  assert.deepEqual([edge.claim, link.edge], [undefined, undefined]);
  const looks = edge.looks;
  await look();
  link.refresh();
  await look();
  assert.deepEqual([edge.claim, edge.looks, made.length], [undefined, looks, 1]);
  assert.deepEqual(notices, ['claiming u', 'released nobody’s']);
});

test('an edge that is away then is released when it is back', async () => {
  const edge = new FakeEdge();
  const { link, cell, copies, look } = await connected(edge);
  withdraw(cell);
  copies.count = 0;
  edge.isAway = true;
  link.lookNow();
  await look();
  assert.deepEqual(edge.claim, mine);
  edge.isAway = false;
  await look();
  await look();
  assert.equal(edge.claim, undefined);
});

test('who takes a withdrawn cell over with nothing left of it makes no claim to release it', async () => {
  const edge = new FakeEdge();
  const { cell, copies, notices, made, look } = linkTo(edge);
  withdraw(cell);
  copies.count = 0;
  await look();
  assert.deepEqual([edge.claim, made.length, notices], [undefined, 0, ['released nobody’s']]);
  const foreign = new FakeEdge();
  foreign.claim = { ...mine, cellUid: 'another' };
  const other = linkTo(foreign);
  withdraw(other.cell);
  other.copies.count = 0;
  await other.look();
  assert.deepEqual([foreign.claim.cellUid, other.notices], ['another', ['released another']]);
});

test('a copy that came late has the edge claimed again', async () => {
  const edge = new FakeEdge();
  const { link, cell, copies, notices, look } = await connected(edge);
  withdraw(cell);
  copies.count = 0;
  link.lookNow();
  await look();
  copies.count = 1;
  link.lookNow();
  await look();
  assert.deepEqual([edge.claim, link.edge === undefined], [mine, false]);
  copies.count = 0;
  link.lookNow();
  await look();
  assert.equal(edge.claim, undefined);
  assert.deepEqual(notices, ['claiming u', 'released nobody’s', 'claiming nobody’s', 'released nobody’s']);
});
