import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellAnnotations } from '#api/federation/cell-annotations.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { differences } from '../chaos/compare.ts';
import { tendedNamespace } from './cast.ts';
import { planesOf } from './planes.ts';
import type { Scene } from './scene.ts';
import { StatusWriter } from './status-writer.ts';

const quietMs = 900_000;
/** By then nearly everything has come together; what has not waits for some time to be over. */
const soonMs = 60_000;
/**
 * An object that was unwell in a cell is not placed there for ten minutes (docs/policies.md, `failover`), by the clock of the
 * scheduler that saw it.
 */
const avoidedMs = 620_000;

/** Brings about, as people and the edges' controllers do, that all planes agree in time. */
export class Agreement {
  readonly #scene: Scene;
  readonly statuses: StatusWriter;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.statuses = new StatusWriter(scene);
  }

  /**
   * All planes agree in time; a person lets held deletions happen. In `tended` namespaces the edges' controllers tell meanwhile
   * that all is ready: what is rolled out, or left for another cell, waits for that.
   */
  async reach(tended = this.tended): Promise<void> {
    const { world, plan, violations } = this.#scene;
    const { time } = world;
    const beganMs = time.nowMs;
    let isTouched = plan.traits.failover === undefined;
    for (;;) {
      await this.#releaseHeld();
      if (tended.length > 0) await this.statuses.tend(tended);
      const found = await this.differences();
      if (found.length === 0) return;
      const forMs = time.nowMs - beganMs;
      if (forMs > quietMs + time.aheadMsMax) {
        violations.push(...found);
        return;
      }
      if (!isTouched && forMs > avoidedMs + time.aheadMsMax) {
        isTouched = true;
        await this.#touch(() => true);
      }
      if (plan.traits.rollout !== undefined && tended.length > 0) await this.#repeatEmptied();
      await time.sleep(plan.more === undefined ? 2_000 : forMs < soonMs ? 3_000 : 30_000);
    }
  }

  /** What has left a cell because it was unwell there may go back after a while, when it is decided about the next time. */
  async #touch(concerns: (path: string, ref: ObjectRef) => boolean): Promise<void> {
    for (const { path, client, objects } of this.#scene.projects) {
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
  async #repeatEmptied(): Promise<void> {
    const { world, projects } = this.#scene;
    const emptied = new Set<string>();
    for (const { path } of projects) {
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

  get tended(): string[] {
    const { traits } = this.#scene.plan;
    return traits.rollout === undefined && traits.failover === undefined ? [] : [tendedNamespace];
  }

  async #releaseHeld(): Promise<void> {
    const { world } = this.#scene;
    for (const federation of world.federations) await this.#releaseHeldOf(world.lookAt(federation));
  }

  async #releaseHeldOf(look: KubeClient): Promise<void> {
    const { items } = await look.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
    for (const cell of items as Cell[]) {
      const held = conditionOf(cell.status?.conditions, 'DeletionHeld');
      if (held?.status !== 'True') continue;
      const name = cell.metadata.name ?? '';
      this.#scene.witnesses.released(name);
      this.#scene.neighbour?.released(name);
      const token = (held.message ?? '').slice((held.message ?? '').lastIndexOf('=') + 1);
      await look.patch(
        { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
        { type: 'merge', body: { metadata: { annotations: { [cellAnnotations.releaseDeletions]: token } } } },
      );
    }
  }

  async differences(): Promise<string[]> {
    const { births, neighbour } = this.#scene;
    return [
      ...(await this.firstDifferences()),
      ...((await births?.differences()) ?? []),
      ...((await neighbour?.differences()) ?? []),
    ];
  }

  /** In what the first control plane alone differs now. */
  async firstDifferences(): Promise<string[]> {
    const { projects, cells } = planesOf(this.#scene);
    return differences(projects, cells);
  }
}
