import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { Logger } from '#client/logger.ts';
import { Ledger } from '../chaos/ledger.ts';
import { resetStamps } from '../chaos/load.ts';
import type { EdgeMeddler } from '../chaos/meddling.ts';
import { Agreement } from './agreement.ts';
import { Births } from './births.ts';
import { cellNames, federatorNames, looseNamespaces, pinnedNamespace, projectPaths } from './cast.ts';
import { comeTogether } from './come-together.ts';
import { Founders } from './founders.ts';
import { Neighbour } from './neighbour.ts';
import { Operators } from './operators.ts';
import { prepare } from './prepare.ts';
import { Registers } from './registers.ts';
import { rest } from './rest.ts';
import { putBack, restored } from './restored.ts';
import { stagedChange } from './rollout-witness.ts';
import { planOf } from './run-plan.ts';
import type { Scene } from './scene.ts';
import { stormyTimes } from './stormy-times.ts';
import { Striker } from './striker.ts';
import { founded, strangerFault } from './strikes.ts';
import { Witnesses } from './witnesses.ts';
import { VirtualTime } from './world/virtual-time.ts';
import { World } from './world/world.ts';

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

/**
 * One run of the whole system under a random load and random faults, decided by its seed alone; afterwards everything is
 * compared with everything (DESIGN.md, What must always hold).
 */
export async function simulate(options: SimulationOptions): Promise<SimulationOutcome> {
  const time = new VirtualTime(options.seed);
  resetStamps();
  return time.run(async () => {
    const scene = await setScene(options, time);
    try {
      const agreement = new Agreement(scene);
      await prepare(scene, agreement);
      await stormyTimes(scene, options.stormyMs ?? scene.plan.stormyMs);
      await comeTogether(scene, agreement);
      await rest(scene);
    } catch (error) {
      scene.violations.push((error as Error).stack ?? String(error));
    }
    return outcomeOf(options.seed, scene);
  });
}

async function setScene({ seed, pki, logger }: SimulationOptions, time: VirtualTime): Promise<Scene> {
  const plan = planOf(seed);
  const { random, more } = plan;
  const world = await World.start({
    time,
    random: random.fork(),
    pki,
    cells: cellNames,
    federators: federatorNames,
    projects: projectPaths,
    namespaces: [...looseNamespaces, pinnedNamespace],
    neighbour: plan.hasNeighbour ? Neighbour : undefined,
    schedulers: plan.schedulers,
    servers: plan.servers,
    logger,
  });
  const striker: Striker = new Striker({
    world,
    random: random.fork(),
    onPutBack: (server) => putBack(scene, server),
    onRestored: (server) => restored(scene, server),
  });
  const count = (what: string) => striker.count(what);
  const meddlers = new Map<string, EdgeMeddler>();
  const scene: Scene = {
    world,
    plan,
    striker,
    ledger: new Ledger(),
    witnesses: new Witnesses(world, plan, meddlers),
    projects: [],
    meddlers,
    pinned: new Set(),
    mayGo: new Set(),
    violations: [],
    operators:
      more === undefined
        ? undefined
        : new Operators({ world, random: more.fork(), note: (what) => striker.note(what), count }),
    births: plan.hasBirths
      ? new Births({
          world,
          projects: projectPaths,
          namespaces: [looseNamespaces[0], pinnedNamespace],
          count,
        })
      : undefined,
    neighbour: world.neighbour === undefined ? undefined : new Neighbour(world, world.neighbour),
    registers: plan.servers === 1 ? undefined : new Registers(world, random.fork()),
    founders: plan.servers === 1 ? undefined : new Founders(world, random.fork()),
  };
  return scene;
}

function outcomeOf(
  seed: number,
  { world, striker, ledger, witnesses, meddlers, violations, neighbour, registers, founders }: Scene,
): SimulationOutcome {
  const { network, time } = world;
  const strangers = [...meddlers.values()].reduce((sum, one) => sum + one.strangers, 0);
  const judged = witnesses.changesJudged;
  return {
    seed,
    violations: [
      ...ledger.violations,
      ...witnesses.violations,
      ...(neighbour?.violations ?? []),
      ...(registers?.violations ?? []),
      ...(founders?.violations ?? []),
      ...violations,
    ],
    journal: striker.journal,
    faults: {
      ...(strangers === 0 ? {} : { [strangerFault]: strangers }),
      ...network.struck,
      ...striker.struck,
      ...(founders === undefined ? {} : { [founded]: founders.rounds }),
      ...(judged === 0 ? {} : { [stagedChange]: judged }),
    },
    writes: ledger.writes,
    virtualMs: time.nowMs,
    trace: JSON.stringify([
      network.digest,
      network.requests,
      network.struck,
      ledger.writes,
      Math.round(time.nowMs),
    ]),
  };
}
