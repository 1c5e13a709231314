import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedProcess } from './process.ts';
import { VirtualTime } from './virtual-time.ts';

/** What became of so many writes of a process that is killed around its third. */
async function writesOf(when: 'before' | 'after', writes: number, forgets = false): Promise<string[]> {
  const time = new VirtualTime(1);
  return time.run(async () => {
    const process = new SimulatedProcess('one', time);
    const done: string[] = [];
    process.aimAtWrite(3, when, () => {
      done.push('killed');
      process.kill();
    });
    if (forgets) process.forgetAim();
    const writing = async () => {
      for (let nth = 1; nth <= writes; nth++) {
        await process.atWrite('before');
        done.push(`written ${nth}`);
        await process.atWrite('after');
        done.push(`told ${nth}`);
      }
    };
    void writing();
    await time.sleep(10);
    return done;
  });
}

test('a process that is killed before its third write does not make it', async () => {
  assert.deepEqual(await writesOf('before', 5), ['written 1', 'told 1', 'written 2', 'told 2', 'killed']);
});

test('a process that is killed after its third write has made it, and is not told', async () => {
  assert.deepEqual(await writesOf('after', 5), [
    'written 1',
    'told 1',
    'written 2',
    'told 2',
    'written 3',
    'killed',
  ]);
});

test('what was aimed and is forgotten kills nothing', async () => {
  assert.equal((await writesOf('after', 5, true)).at(-1), 'told 5');
});
