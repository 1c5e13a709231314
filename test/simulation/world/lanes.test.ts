import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#client/logger.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import { Random } from '../../harness/random.ts';
import { lanesName, SimulatedLanes } from './lanes.ts';
import { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import { VirtualTime } from './virtual-time.ts';

const owners = Array.from({ length: 64 }, (_, i) => `owner-${i}`);
const countOf = (owns: Owns) => owners.filter(owns).length;

test('two schedulers share all owners; who is cut off, stands still or is forgotten has none of the other’s', async () => {
  const time = new VirtualTime(1);
  await time.run(async () => {
    const network = new SimulatedNetwork(time, new Random(1));
    const lanes = new SimulatedLanes(time, new Random(2), network);
    const processes = ['one', 'other'].map((name) => new SimulatedProcess(name, time));
    const told: string[] = [];
    const [one, other] = processes.map((process) => {
      const sharing = lanes.sharingOf(process, silentLogger);
      sharing.start('scope', {
        gained: () => told.push(`${process.name} gained`),
        lost: () => told.push(`${process.name} lost`),
      });
      return sharing;
    });
    assert.ok(one !== undefined && other !== undefined);
    const isDivided = () => countOf(one.owns) > 0 && countOf(other.owns) > 0;
    const isWhole = () => countOf(one.owns) + countOf(other.owns) === owners.length;
    const wait = async (forMs: number) => {
      for (let ms = 0; ms < forMs; ms += 50) {
        await time.sleep(50);
        assert.deepEqual(
          owners.filter((owner) => one.owns(owner) && other.owns(owner)),
          [],
        );
      }
    };
    await wait(10_000);
    assert.ok(isDivided() && isWhole());

    network.cut('one', lanesName);
    await wait(10_000);
    assert.equal(countOf(one.owns), 0);
    assert.equal(countOf(other.owns), owners.length);
    network.heal('one', lanesName);
    await wait(10_000);
    assert.ok(isDivided() && isWhole());

    processes[1]?.pause();
    await wait(10_000);
    assert.equal(countOf(one.owns), owners.length);
    processes[1]?.wake();
    await wait(10_000);
    assert.ok(isDivided() && isWhole());

    told.length = 0;
    lanes.forget('restart');
    await time.sleep(10_000);
    assert.ok(isDivided() && isWhole());
    assert.deepEqual(
      new Set(told.filter((what) => what.endsWith('gained'))),
      new Set(['one gained', 'other gained']),
    );
  });
});
