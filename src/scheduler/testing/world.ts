import { type Condition, conditionOf } from '#api/conditions.ts';
import { cellsGvr } from '#api/federation/cell.ts';
import { workGroup, workVersion } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { createScheduler } from '../scheduler.ts';
import type { Scheduler, SchedulerOptions } from '../scheduler-options.ts';
import { ControlPlane, gvrOf, until } from './control-plane.ts';
import { Syncer } from './syncer.ts';

export const bindings = `${workGroup}/${workVersion}`;
export const policies = 'policy.karmada.io/v1alpha1';

export async function startScheduler(
  controlPlane: ControlPlane,
  more: Partial<SchedulerOptions> = {},
): Promise<Scheduler & AsyncDisposable> {
  const scheduler = createScheduler({
    client: controlPlane.scheduler,
    clock: systemClock,
    logger: silentLogger,
    gatherIntervalMs: 20,
    ...more,
  });
  await scheduler.start(new AbortController().signal);
  return Object.assign(scheduler, { [Symbol.asyncDispose]: () => scheduler.stop() });
}

/** The scheduler's client, of which updates do what a test says. */
export function withUpdate({ scheduler }: ControlPlane, update: KubeClient['update']): KubeClient {
  return new Proxy(scheduler, {
    get: (target, name: keyof KubeClient) => (name === 'update' ? update : target[name].bind(target)),
  });
}

export interface World extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** Logical cluster of project `shop`. */
  readonly project: string;
  readonly fra: Syncer;
  readonly ams: Syncer;
}

/** A project `shop`, and the cells `ams` and `fra`. */
export async function world(spec: JsonObject = {}): Promise<World> {
  const controlPlane = await ControlPlane.open();
  const project = await controlPlane.project('shop');
  await controlPlane.cell('ams', spec, { region: 'nl' });
  await controlPlane.cell('fra', spec, { region: 'de' });
  return {
    controlPlane,
    project,
    fra: new Syncer(controlPlane, 'fra'),
    ams: new Syncer(controlPlane, 'ams'),
    [Symbol.asyncDispose]: () => controlPlane[Symbol.asyncDispose](),
  };
}

export function bindingWhere(
  controlPlane: ControlPlane,
  project: string,
  name: string,
  holds: (binding: ResourceBinding) => boolean,
): Promise<ResourceBinding> {
  return until(`binding of ${name}`, async () => {
    const resource = 'resourcebindings';
    const all = (await controlPlane.list(project, bindings, resource)) as ResourceBinding[];
    const wide = (await controlPlane.list(project, bindings, `cluster${resource}`)) as ResourceBinding[];
    return [...all, ...wide].find((one) => one.spec.resource.name === name && holds(one));
  });
}

export function condition(binding: ResourceBinding, type: string): Condition | undefined {
  return conditionOf(binding.status?.conditions, type);
}

export function isScheduled(binding: ResourceBinding): boolean {
  return condition(binding, 'Scheduled')?.status === 'True';
}

/** Whether the decision came out so: `Unschedulable`, `QuotaExceeded` and the like. */
export const hasOutcome =
  (reason: string) =>
  (binding: ResourceBinding): boolean =>
    condition(binding, 'Scheduled')?.reason === reason;

export function cellRef(name: string): ObjectRef {
  return { cluster: 'root:cells', gvr: cellsGvr, name };
}

export function projectRef(project: string, apiVersion: string, resource: string, name: string): ObjectRef {
  return { cluster: project, gvr: gvrOf(apiVersion, resource), namespace: 'default', name };
}
