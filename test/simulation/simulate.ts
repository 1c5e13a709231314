import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellAnnotations } from '#api/federation/cell-annotations.ts';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { type CellPlane, differences, type ProjectPlane, revisions } from '../chaos/compare.ts';
import { loadKinds } from '../chaos/kinds.ts';
import { Ledger } from '../chaos/ledger.ts';
import { type LoadObject, loadObjects, resetStamps, runLoad, settle } from '../chaos/load.ts';
import { EdgeMeddler, isOtherInstance } from '../chaos/meddling.ts';
import { loadPolicy, type PolicyTraits, runPolicies } from '../chaos/policies.ts';
import { Watcher } from '../chaos/watcher.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { Births } from './births.ts';
import { DeletionWitness } from './deletion-witness.ts';
import { doEnding } from './endings.ts';
import { LatenessWitness } from './lateness-witness.ts';
import { Neighbour } from './neighbour.ts';
import { Operators } from './operators.ts';
import { OrderWitness } from './order-witness.ts';
import { RolloutWitness, stagedChange } from './rollout-witness.ts';
import { Striker, strangerFault } from './strikes.ts';
import { replacedApplyFault, replacedFault } from './world/call-faults.ts';
import type { SimulatedNetwork } from './world/network.ts';
import { VirtualTime } from './world/virtual-time.ts';
import { federationName, type Schedulers, World } from './world/world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly pki: ServerPki;
  /** How long faults and load last, in virtual time. Default: by chance. */
  readonly stormyMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

export interface SimulationOutcome {
  readonly seed: number;
  /** What was found wrong; empty when everything held. */
  readonly violations: readonly string[];
  /** What was done to the system, in words. */
  readonly journal: readonly string[];
  /** How often each fault of the network had an effect, and each strike was done. */
  readonly faults: { readonly [fault: string]: number };
  readonly writes: number;
  readonly virtualMs: number;
  /** Equal for equal runs: of every request, when it was made, and what became of all. */
  readonly trace: string;
}

const cellNames = ['cell-a', 'cell-b', 'cell-c'] as const;
const federatorNames = ['federator-a', 'federator-b'] as const;
const projectNames = ['acme', 'globex'] as const;
const looseNamespaces = ['one', 'two'] as const;
/**
 * Runs with these seeds have operators, rollouts, failover, and what is born at edges as well; those with lower ones, which CI
 * replays, are what they were before there was any of it.
 */
const wideFrom = 1_000;
/** Those of these are over sooner, so that more of them can be run: many worlds, each for a while. */
const briefFrom = 10_000;
const brieflyMsMax = 8_000;
/** Of these brief ones, each has two schedulers: that share the projects, and edges that lie; then one that stands by. */
const lanesFrom = 20_000;
const standbyFrom = 25_000;
/** Of those above, some have. */
const eitherFrom = 30_000;
const lanesShare = 0.2;
const standbyShare = 0.15;
const schedulersChance = 0x2ed;
const moreChance = 0x5eed;
/** Of these, the one whose policies may have more to say than where objects go. */
const tendedNamespace = 'two';
/** What stays where it is all along: nothing of it may ever go at an edge. */
const pinnedNamespace = 'pinned';
const pinnedPrefix = 'pinned-';
const objectsPerKind = 2;
const finally2to1to1 = { 'cell-a': 2, 'cell-b': 1, 'cell-c': 1 };
/** Of the federation's deletions at edges. */
const replacedRate = 0.1;
/** Of its applies there, in wide runs. */
const replacedApplyRate = 0.02;
/** Where strangers make objects before a copy comes there, in wide runs. */
const strangersAt = ['<kind>-0-0', '<kind>-0-1'] as const;
/** By then none of that is under way any more, where nothing is struck. */
const replacedMsMax = 5_000;
const stormyMsMin = 4_000;
const stormyMsMax = 20_000;
const quietMs = 900_000;
/** By then nearly everything has come together; what has not waits for some time to be over. */
const soonMs = 60_000;
/** An object that was unwell in a cell is not placed there for ten minutes (docs/policies.md, `failover`). */
const avoidedMs = 620_000;
/** Longer than what was contested is still told of. */
const calmMs = 180_000;
const steadyMs = 120_000;
/** Leases, probes and reports of two federators with three cells and their servers; the schedulers' leases are beside them. */
const steadyRequestsMax = 600;

function schedulersOf(seed: number): Schedulers {
  if (seed < lanesFrom) return 'alone';
  if (seed < standbyFrom) return 'lanes';
  if (seed < eitherFrom) return 'standby';
  const alone = 1 - lanesShare - standbyShare;
  return new Random(seed ^ schedulersChance).weighted({ alone, standby: standbyShare, lanes: lanesShare });
}

/** Half of the runs have policies that say where objects go, and nothing else. */
function drawTraits(random: Random): PolicyTraits {
  const rollout = {
    waves: [
      { name: 'first', clusterAffinity: { clusterNames: [cellNames[0]] } },
      {
        name: 'second',
        clusterAffinity: { clusterNames: [cellNames[1]] },
        pauseSeconds: random.between(0, 3),
      },
    ],
    healthTimeoutSeconds: random.between(5, 30),
    onFailure: 'Pause',
  };
  const failover = {
    application: {
      decisionConditions: { tolerationSeconds: random.between(2, 10) },
      gracePeriodSeconds: random.between(5, 30),
      purgeMode: random.pick(['Graciously', 'Directly']),
    },
  };
  switch (random.weighted({ neither: 2, rollout: 1, failover: 1, both: 1 })) {
    case 'rollout':
      return { rollout };
    case 'failover':
      return { failover };
    case 'both':
      return { rollout, failover };
    default:
      return {};
  }
}

/**
 * One run of the whole system under a random load and random faults, decided by its seed alone; afterwards everything is
 * compared with everything (DESIGN.md, What must always hold).
 */
export async function simulate(options: SimulationOptions): Promise<SimulationOutcome> {
  const time = new VirtualTime(options.seed);
  resetStamps();
  return time.run(() => new Simulation(options, time).run());
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  readonly #projects: ProjectPlane[] = [];
  readonly #meddlers = new Map<string, EdgeMeddler>();
  readonly #pinned: LoadObject[] = [];
  readonly #violations: string[] = [];
  readonly #traits: PolicyTraits;
  /** Of what only runs with seeds from `wideFrom` on have; undefined in others. */
  readonly #more: Random | undefined;
  /** Most of the runs bring nothing back. */
  readonly #hasBirths: boolean;
  /** Cells that are being withdrawn. */
  readonly #mayGo = new Set<string>();
  readonly #schedulers: Schedulers;
  /** Some have a second control plane. */
  readonly #hasNeighbour: boolean;
  #neighbour: Neighbour | undefined;
  #operators: Operators | undefined;
  #births: Births | undefined;
  #witness: DeletionWitness | undefined;
  readonly #latenessWitness = new LatenessWitness();
  readonly #orderWitness = new OrderWitness();
  #rolloutWitness: RolloutWitness | undefined;

  constructor(options: SimulationOptions, time: VirtualTime) {
    this.#options = options;
    this.#time = time;
    this.#random = new Random(options.seed);
    const isWide = options.seed >= wideFrom;
    this.#more = isWide ? new Random(options.seed ^ moreChance) : undefined;
    this.#schedulers = schedulersOf(options.seed);
    this.#traits = this.#more === undefined ? {} : drawTraits(this.#more.fork());
    this.#hasBirths = this.#more !== undefined && this.#more.next() < 0.35;
    this.#hasNeighbour = this.#more !== undefined && this.#more.next() < 0.25;
  }

  async run(): Promise<SimulationOutcome> {
    const { seed, pki, logger } = this.#options;
    const drawnMs = this.#random.between(stormyMsMin, seed < briefFrom ? stormyMsMax : brieflyMsMax);
    const stormyMs = this.#options.stormyMs ?? drawnMs;
    const world = await World.start({
      time: this.#time,
      random: this.#random.fork(),
      pki,
      cells: cellNames,
      federators: federatorNames,
      projects: projectNames.map((name) => `root:${name}`),
      namespaces: [...looseNamespaces, pinnedNamespace],
      neighbour: this.#hasNeighbour ? Neighbour : undefined,
      schedulers: this.#schedulers,
      logger,
    });
    if (world.neighbour !== undefined) this.#neighbour = new Neighbour(world, world.neighbour);
    const striker = new Striker({
      world,
      random: this.#random.fork(),
      onPutBack: (server) => this.#putBack(server),
      onRestored: (server) => this.#restored(world, server),
    });
    try {
      if (this.#more !== undefined) {
        this.#operators = new Operators({
          world,
          random: this.#more.fork(),
          note: (what) => striker.note(what),
          count: (deed) => striker.count(deed),
        });
      }
      if (this.#hasBirths) {
        this.#births = new Births({
          world,
          projects: projectNames.map((name) => `root:${name}`),
          namespaces: [looseNamespaces[0], pinnedNamespace],
          count: (what) => striker.count(what),
        });
      }
      await this.#prepare(world);
      await this.#stormyTimes(world, striker, stormyMs);
      await this.#comeTogether(world, striker);
      await this.#rest(world);
    } catch (error) {
      this.#violations.push((error as Error).stack ?? String(error));
    }
    const judged = this.#rolloutWitness?.judged ?? 0;
    return {
      seed,
      violations: [
        ...this.#ledger.violations,
        ...(this.#witness?.violations ?? []),
        ...this.#latenessWitness.violations,
        ...this.#orderWitness.violations,
        ...(this.#neighbour?.violations ?? []),
        ...(this.#rolloutWitness?.violations ?? []),
        ...world.network.strayWrites.violations,
        ...(world.leases?.violations ?? []),
        ...this.#violations,
      ],
      journal: striker.journal,
      faults: {
        ...this.#strangers(),
        ...world.network.struck,
        ...striker.struck,
        ...(judged === 0 ? {} : { [stagedChange]: judged }),
      },
      writes: this.#ledger.writes,
      virtualMs: this.#time.nowMs,
      trace: JSON.stringify([
        world.network.digest,
        world.network.requests,
        world.network.struck,
        this.#ledger.writes,
        Math.round(this.#time.nowMs),
      ]),
    };
  }

  #strangers(): { readonly [fault: string]: number } {
    const count = [...this.#meddlers.values()].reduce((sum, { strangers }) => sum + strangers, 0);
    return count === 0 ? {} : { [strangerFault]: count };
  }

  /** Policies, what is pinned, and what is the edges' own, while all is well. */
  async #prepare(world: World): Promise<void> {
    for (const name of projectNames) {
      const path = `root:${name}`;
      const client = world.peopleAt(world.federation, path);
      const policies = [...looseNamespaces, pinnedNamespace].map((namespace) =>
        loadPolicy(client, this.#ledger, name, namespace, this.#traitsOf(namespace)),
      );
      for (const policy of policies) await policy.set(finally2to1to1);
      const pinned = loadObjects(client, this.#ledger, name, [pinnedNamespace], 0, 1, pinnedPrefix).filter(
        ({ kind }) => !kind.scalable,
      );
      for (const object of pinned) await this.#pin(client, object);
      const loose = loadObjects(client, this.#ledger, name, looseNamespaces, 0, objectsPerKind);
      this.#projects.push({ path, client, objects: [...loose, ...pinned], policies });
      this.#pinned.push(...pinned);
    }
    await this.#births?.prepare();
    await this.#neighbour?.prepare();
    for (const [cell, edge] of world.edges) {
      const meddler = new EdgeMeddler(
        world.peopleAt(edge),
        (name) => !name.startsWith(pinnedPrefix),
        this.#more === undefined ? [] : strangersAt,
      );
      await meddler.prepare();
      this.#meddlers.set(cell, meddler);
    }
    await until('the beginning is in order', async () => (await this.#differences(world)).length === 0, {
      timeoutMs: 120_000,
      everyMs: 500,
    });
    for (const [cell, edge] of world.edges) {
      await edge.observe({
        event: ({ type, key }) => {
          const name = key.slice(key.lastIndexOf('/') + 1);
          if (type === 'delete' && name.startsWith(pinnedPrefix) && !this.#mayGo.has(cell)) {
            this.#violations.push(`${cell}: ${key} was deleted, and nobody asked for that`);
          }
        },
      });
    }
    this.#witness = new DeletionWitness({
      federation: world.federation,
      edges: world.edges,
      mayBeByHand: (cell, what) => this.#meddlers.get(cell)?.mayHaveDeleted(what) ?? false,
    });
    await this.#witness.start();
    await this.#latenessWitness.start(world.edges);
    if (this.#schedulers !== 'alone' && this.#traits.rollout === undefined)
      await this.#orderWitness.start(world.federation);
    if (this.#traits.rollout === undefined) return;
    this.#rolloutWitness = new RolloutWitness({
      federation: world.federation,
      cells: cellNames,
      namespace: tendedNamespace,
    });
    await this.#rolloutWitness.start();
  }

  /** What is pinned stays in cells that are drained; some of the rest is rolled out in waves, and fails over. */
  #traitsOf(namespace: string): PolicyTraits {
    if (this.#more === undefined) return {};
    if (namespace === pinnedNamespace) return { clusterTolerations: [{ operator: 'Exists' }] };
    return namespace === tendedNamespace ? this.#traits : {};
  }

  async #pin(client: ProjectPlane['client'], object: LoadObject): Promise<void> {
    const { kind, namespace, ref, tracked } = object;
    const content = { stamp: 1, label: 'l0', replicas: 0 };
    await tracked.write(content, () =>
      client.create(ref, {
        apiVersion: kind.apiVersion,
        kind: kind.kind,
        metadata: { name: ref.name, namespace, labels: { chaos: content.label } },
        ...kind.body(content),
      }),
    );
  }

  async #stormyTimes(world: World, striker: Striker, stormyMs: number): Promise<void> {
    const stopping = new AbortController();
    const { signal } = stopping;
    const watching = new AbortController();
    const pinned = new Set(this.#pinned);
    const watchers = this.#projects.map(
      ({ client, path }) =>
        new Watcher(client, { cluster: undefined, gvr: loadKinds[0]!.gvr }, `${path} watch`, this.#ledger),
    );
    const watches = watchers.map((watcher) => watcher.run(watching.signal));
    const running = [
      ...this.#projects.flatMap(({ client, objects, policies }) => [
        runLoad(
          client,
          objects.filter((object) => !pinned.has(object)),
          this.#random.fork(),
          signal,
          200,
        ),
        runPolicies(policies.slice(0, looseNamespaces.length), cellNames, this.#random.fork(), signal),
      ]),
      ...[...this.#meddlers.values()].map((meddler) => meddler.run(this.#random.fork(), signal)),
      this.#operators?.run(signal),
      this.#births?.run((this.#more ?? this.#random).fork(), signal),
      this.#neighbour?.run((this.#more ?? this.#random).fork(), signal),
    ];
    world.network.beforeWrite = this.#replaceBeforeWrite(world);
    await striker.run(stormyMs);
    world.network.beforeWrite = undefined;
    stopping.abort();
    await Promise.all(running);
    await this.#operators?.mend();
    await this.#know();
    await this.#neighbour?.know();
    watching.abort();
    await Promise.all(watches);
    await this.#time.sleep(replacedMsMax);
    for (const [cell, edge] of world.edges) {
      const meddler = this.#meddlers.get(cell);
      const touched = (await meddler?.takeReplacementsAway(world.lookAt(edge))) ?? [];
      this.#violations.push(...(meddler?.unexpected ?? []));
      this.#violations.push(...touched.map((what) => `${cell}: ${what}`));
    }
  }

  /** What the projects hold, where an outcome was not told or a restore has made it uncertain. */
  async #know(): Promise<void> {
    const never = new AbortController().signal;
    for (const { objects, policies } of this.#projects) {
      for (const { tracked } of objects) await settle(tracked, never);
      for (const { tracked } of policies) {
        await until(`${tracked.what} is known`, () => tracked.isCertain || tracked.resolve(), {
          timeoutMs: 60_000,
        });
      }
    }
  }

  async #comeTogether(world: World, striker: Striker): Promise<void> {
    for (const { client, objects, policies } of this.#projects) {
      for (const policy of policies) await policy.set(finally2to1to1);
      for (const { kind, ref, tracked } of objects) {
        const { state } = tracked;
        if (!kind.scalable || state === undefined || state.replicas > 0) continue;
        await tracked.write({ ...state, replicas: 5 }, () =>
          client.patch(ref, { type: 'merge', body: { spec: { replicas: 5 } } }),
        );
      }
    }
    await this.#agree(world, this.#more === undefined ? [] : [...looseNamespaces]);
    await this.#writeStatuses(world, 1);
    await this.#agree(world);
    const ending = await doEnding({
      world,
      random: this.#random.fork(),
      projects: this.#projects,
      pinned: new Set(this.#pinned),
      agree: () => this.#agree(world),
      writeStatuses: (share) => this.#writeStatuses(world, share),
      differences: () => this.#differences(world),
      isWide: this.#more !== undefined,
      neighbour: this.#neighbour,
      firstDifferences: async () => {
        const { projects, cells } = this.#planes(world);
        return differences(projects, cells);
      },
      isStaged: (namespace) => this.#tended.includes(namespace),
      mayGo: (cell, may) => {
        if (may) this.#mayGo.add(cell);
        else this.#mayGo.delete(cell);
      },
      rejoined: async () => {
        await this.#witness?.findCells();
        await this.#rolloutWitness?.findCells();
      },
      violation: (what) => this.#violations.push(what),
      putBack: (cell, backup) => this.#witness?.putBack(cell, backup),
      restored: async ({ name }) => {
        this.#putBack(name);
        await this.#restored(world, name);
        await this.#know();
      },
    });
    striker.ended(ending);
    await this.#agree(world);
    this.#violations.push(...((await this.#births?.ownTouched()) ?? []));
    for (const [cell, edge] of world.edges) {
      const touched = (await this.#meddlers.get(cell)?.foreignTouched(world.lookAt(edge))) ?? [];
      this.#violations.push(...touched.map((what) => `${cell}: ${what}`));
    }
  }

  async #writeStatuses(
    world: World,
    share: number,
    concerns: (object: KubeObject) => boolean = () => true,
  ): Promise<void> {
    const { gvr } = loadKinds[1]!;
    for (const [cell, edge] of world.edges) {
      const client = world.lookAt(edge);
      const { items } = await client.list({ cluster: undefined, gvr });
      for (const object of items) {
        if (!concerns(object)) continue;
        const { name = '', namespace = '' } = object.metadata;
        const ref = { cluster: undefined, gvr, namespace, name };
        try {
          await this.#meddlers.get(cell)?.writeStatus(ref, object, share);
        } catch (error) {
          // It is on its way to another cell, or made anew.
          if (!isApiError(error, 'NotFound', 'Conflict') && !isOtherInstance(error)) throw error;
        }
      }
    }
  }

  /**
   * All planes agree in time; a person lets held deletions happen. In `tended` namespaces the edges' controllers tell meanwhile
   * that all is ready: what is rolled out, or left for another cell, waits for that.
   */
  async #agree(world: World, tended = this.#tended): Promise<void> {
    const beganMs = this.#time.nowMs;
    let isTouched = this.#traits.failover === undefined;
    for (;;) {
      await this.#releaseHeld(world);
      if (tended.length > 0) await this.#tend(world, tended);
      const found = await this.#differences(world);
      if (found.length === 0) return;
      const forMs = this.#time.nowMs - beganMs;
      if (forMs > quietMs) {
        this.#violations.push(...found);
        return;
      }
      if (!isTouched && forMs > avoidedMs) {
        isTouched = true;
        await this.#touch(() => true);
      }
      if (this.#traits.rollout !== undefined && tended.length > 0) await this.#repeatEmptied(world);
      await this.#time.sleep(this.#more === undefined ? 2_000 : forMs < soonMs ? 3_000 : 30_000);
    }
  }

  /** What has left a cell because it was unwell there may go back after a while, when it is decided about the next time. */
  async #touch(concerns: (path: string, ref: ObjectRef) => boolean): Promise<void> {
    for (const { path, client, objects } of this.#projects) {
      for (const { namespace, ref, tracked } of objects) {
        const { state } = tracked;
        if (namespace !== tendedNamespace || state === undefined || !concerns(path, ref)) continue;
        const next = { ...state, label: `${state.label}-touched` };
        await tracked.write(next, () =>
          client.patch(ref, { type: 'merge', body: { metadata: { labels: { chaos: next.label } } } }),
        );
      }
    }
  }

  /** A rollout whose wave has lost its cells stops for good: a person repeats it (decision 192). */
  async #repeatEmptied(world: World): Promise<void> {
    const emptied = new Set<string>();
    for (const { path } of this.#projects) {
      const { items } = await world
        .lookAt(world.federation, path)
        .list({ cluster: undefined, gvr: resourceBindingsGvr, namespace: tendedNamespace });
      for (const { spec, status } of items as ResourceBinding[]) {
        const { phase, message = '' } = status?.rollout ?? {};
        if (phase !== 'Paused' || !message.includes('none of its cells')) continue;
        emptied.add(`${path} ${spec.resource.resource}/${spec.resource.name}`);
      }
    }
    if (emptied.size === 0) return;
    await this.#touch((path, { gvr, name }) => emptied.has(`${path} ${gvr.resource}/${name}`));
  }

  get #tended(): string[] {
    return this.#traits.rollout === undefined && this.#traits.failover === undefined ? [] : [tendedNamespace];
  }

  async #tend(world: World, namespaces: readonly string[]): Promise<void> {
    await this.#writeStatuses(world, 1, (object) => {
      const { annotations = {}, generation = 1 } = object.metadata;
      const { replicas = 0 } = object['spec'] as { replicas?: number };
      const { observedGeneration, readyReplicas = 0 } = (object['status'] ?? {}) as {
        observedGeneration?: number;
        readyReplicas?: number;
      };
      if (observedGeneration === generation && readyReplicas === replicas) return false;
      return namespaces.includes(annotations[copyAnnotations.originNamespace] ?? '');
    });
  }

  /** Then nobody writes any more, and little is asked. */
  async #rest(world: World): Promise<void> {
    if (this.#violations.length > 0) return;
    await this.#time.sleep(calmMs);
    // Whoever has still not read the newest credentials is refused now, and that would be told.
    this.#operators?.revokeFormer();
    const { refusals } = world.network;
    const { projects, cells } = this.#planes(world);
    const before = await revisions(projects, cells);
    const leaseRequestsMax = world.leases?.requestsMax(world.schedulers.length, steadyMs) ?? 0;
    const requestsMax = (steadyRequestsMax + leaseRequestsMax) * world.federations.length;
    world.network.requests = {};
    await this.#time.sleep(steadyMs);
    const requests = Object.values(world.network.requests).reduce((sum, count) => sum + count, 0);
    if (requests > requestsMax) {
      this.#violations.push(
        `${requests} requests in ${steadyMs} ms of rest: ${JSON.stringify(world.network.requests)}`,
      );
    }
    if (world.network.refusals > refusals) {
      this.#violations.push(
        `credentials that were changed long ago were refused ${world.network.refusals - refusals} times`,
      );
    }
    const [old, now] = [before, await revisions(projects, cells)].map((text) => new Set(text.split('\n')));
    const changes = [
      ...[...(old ?? [])].filter((line) => now?.has(line) === false).map((line) => `- ${line}`),
      ...[...(now ?? [])].filter((line) => old?.has(line) === false).map((line) => `+ ${line}`),
    ];
    if (changes.length > 0) this.#violations.push('somebody writes although all agree:', ...changes);
  }

  /** Just when the federation deletes or applies at an edge, someone there may have made something else of that name. */
  #replaceBeforeWrite(world: World): SimulatedNetwork['beforeWrite'] {
    const random = this.#random.fork();
    const more = this.#more?.fork();
    return async (verb, server, ref) => {
      const meddler = this.#meddlers.get(server);
      if (meddler === undefined || (verb === 'apply' && more === undefined)) return;
      const isReplaced =
        verb === 'delete' ? random.next() < replacedRate : (more?.next() ?? 1) < replacedApplyRate;
      if (!isReplaced) return;
      const edge = world.edge(server);
      const whose = more === undefined || more.next() < 0.5 ? 'own' : 'elsewhere';
      if (!edge.isUp || !(await meddler.replace(ref, world.lookAt(edge), whose))) return;
      world.network.countFault(verb === 'delete' ? replacedFault : replacedApplyFault);
    };
  }

  #putBack(server: string): void {
    if (server === federationName) this.#ledger.restored();
    else if (server === this.#neighbour?.server) this.#neighbour.restored();
    else this.#meddlers.get(server)?.putBack();
  }

  async #restored(world: World, server: string): Promise<void> {
    if (server === federationName) await this.#births?.restored();
    else await this.#meddlers.get(server)?.restored(world.lookAt(world.edge(server)));
  }

  async #releaseHeld(world: World): Promise<void> {
    for (const federation of world.federations) await this.#releaseHeldOf(world.lookAt(federation));
  }

  async #releaseHeldOf(look: KubeClient): Promise<void> {
    const { items } = await look.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
    for (const cell of items as Cell[]) {
      const held = conditionOf(cell.status?.conditions, 'DeletionHeld');
      if (held?.status !== 'True') continue;
      const name = cell.metadata.name ?? '';
      this.#witness?.released(name);
      this.#neighbour?.released(name);
      const token = (held.message ?? '').slice((held.message ?? '').lastIndexOf('=') + 1);
      await look.patch(
        { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
        { type: 'merge', body: { metadata: { annotations: { [cellAnnotations.releaseDeletions]: token } } } },
      );
    }
  }

  async #differences(world: World): Promise<string[]> {
    const { projects, cells } = this.#planes(world);
    return [
      ...(await differences(projects, cells)),
      ...((await this.#births?.differences()) ?? []),
      ...((await this.#neighbour?.differences()) ?? []),
    ];
  }

  #planes(world: World): { projects: ProjectPlane[]; cells: CellPlane[] } {
    const { federation } = world;
    return {
      projects: this.#projects.map((project) => ({
        ...project,
        client: world.lookAt(federation, project.path),
      })),
      cells: [...world.edges].map(([name, edge]) => ({
        name,
        cellClient: world.lookAt(federation, `${cellsWorkspacePath}:${name}`),
        edgeClient: world.lookAt(edge),
      })),
    };
  }
}
