import type { ProjectPlane } from '../chaos/compare.ts';
import type { Ledger } from '../chaos/ledger.ts';
import type { LoadObject } from '../chaos/load.ts';
import type { EdgeMeddler } from '../chaos/meddling.ts';
import type { Births } from './births.ts';
import type { Founders } from './founders.ts';
import type { Neighbour } from './neighbour.ts';
import type { Operators } from './operators.ts';
import type { Registers } from './registers.ts';
import type { RunPlan } from './run-plan.ts';
import type { Striker } from './striker.ts';
import type { Witnesses } from './witnesses.ts';
import type { World } from './world/world.ts';

/** What the phases of a run have in common. */
export interface Scene {
  readonly world: World;
  readonly plan: RunPlan;
  readonly striker: Striker;
  readonly ledger: Ledger;
  readonly witnesses: Witnesses;
  readonly projects: ProjectPlane[];
  /** By cell. */
  readonly meddlers: Map<string, EdgeMeddler>;
  /** What nobody may ever touch. */
  readonly pinned: Set<LoadObject>;
  /** Cells that are being withdrawn. */
  readonly mayGo: Set<string>;
  readonly violations: string[];
  readonly operators: Operators | undefined;
  readonly births: Births | undefined;
  readonly neighbour: Neighbour | undefined;
  /** Where several API servers are on one store. */
  readonly registers: Registers | undefined;
  readonly founders: Founders | undefined;
}
