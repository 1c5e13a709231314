// docs/federation-contract.md: FA4
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type Origin, setOriginAnnotations, setOriginLabels } from '../projection/origin.ts';
import type { RenderedCopy } from '../projection/render.ts';
import { asKnown, CopyIndex, type CopyRecord, copyRecordOf, placeKeyIn } from './copy-index.ts';
import { CopyWriter } from './copy-writer.ts';

const controlPlane = 'cp';
const place = { group: '', version: 'v1', resource: 'configmaps', namespace: 'mapped', name: 'web' };
const placeKey = placeKeyIn('cell', place, place.namespace, place.name);

function objectOf(value: string, cluster = 'project'): KubeObject {
  const origin: Origin = {
    controlPlane,
    cluster,
    path: 'root:acme',
    group: '',
    resource: 'configmaps',
    namespace: 'default',
    name: 'web',
    uid: 'o1',
  };
  const labels = {};
  const annotations = { [copyAnnotations.contentHash]: value };
  setOriginLabels(labels, origin);
  setOriginAnnotations(annotations, origin);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: place.name, namespace: place.namespace, labels, annotations },
    data: { value },
  };
}

const copyOf = (value: string): RenderedCopy => ({
  place,
  object: objectOf(value),
  contentHash: value,
  custom: false,
});

/** One place of a cell's workspace, with the preconditions of our API server; `holder`: who else holds the content's fields. */
class CellPlace {
  stored: KubeObject | undefined;
  holder: string | undefined;
  owned = true;
  /** Its definition does not know the content's fields yet. */
  prunes = false;
  readonly asked: string[] = [];
  readonly index = new CopyIndex();
  readonly writer: CopyWriter;
  onGet: () => void = () => {};
  /** Between what the writer has asked for and the server's doing it. */
  onWrite: () => void | Promise<void> = () => {};
  #revision = 10;

  constructor() {
    const client: KubeClient = {
      ...new ScriptedClient().client,
      get: async () => {
        this.asked.push('get');
        this.onGet();
        if (this.stored === undefined) throw new ApiError('NotFound', 'no');
        return this.stored;
      },
      apply: async (_ref, form, { ifAbsent = false, force = false }) => {
        await this.onWrite();
        const { uid = '', resourceVersion = '', ...metadata } = form['metadata'] as KubeObject['metadata'];
        this.asked.push(`apply${ifAbsent ? ' if absent' : ''}${uid === '' ? '' : ` over ${uid}`}`);
        if (ifAbsent && this.stored !== undefined) throw new ApiError('AlreadyExists', 'it is there');
        if (uid !== '' && uid !== this.stored?.metadata.uid) throw new ApiError('Conflict', 'uid mismatch');
        if (resourceVersion !== '' && resourceVersion !== this.stored?.metadata.resourceVersion)
          throw new ApiError('Conflict', 'the object has been modified');
        if (this.holder !== undefined && !force) throw new ApiError('Conflict', `held by ${this.holder}`);
        this.holder = undefined;
        const { data, ...pruned } = form as KubeObject;
        const kept = this.prunes ? pruned : { ...pruned, data };
        return this.put({ ...kept, metadata }, this.stored?.metadata.uid ?? 'made');
      },
      patch: async (_ref, patch) => {
        await this.onWrite();
        if (patch.type !== 'merge') throw new RangeError(patch.type);
        const metadata = patch.body['metadata'] as KubeObject['metadata'];
        const stored = this.stored as KubeObject;
        if (metadata.resourceVersion !== stored.metadata.resourceVersion)
          throw new ApiError('Conflict', 'the object has been modified');
        this.asked.push(`patch ${JSON.stringify(metadata.annotations)}`);
        const annotations: { [name: string]: string } = { ...stored.metadata.annotations };
        for (const [name, value] of Object.entries(metadata.annotations ?? {}) as [string, string | null][])
          if (value === null) delete annotations[name];
          else annotations[name] = value;
        return this.put({ ...stored, metadata: { ...stored.metadata, annotations } }, metadata.uid ?? '');
      },
      delete: async (_ref, { preconditions } = {}) => {
        await this.onWrite();
        this.asked.push(`delete ${preconditions?.uid}`);
        if (this.stored === undefined) throw new ApiError('NotFound', 'no');
        if (preconditions?.uid !== undefined && preconditions.uid !== this.stored.metadata.uid)
          throw new ApiError('Conflict', 'uid mismatch');
        if (preconditions?.resourceVersion !== this.stored.metadata.resourceVersion)
          throw new ApiError('Conflict', 'the object has been modified');
        this.stored = undefined;
        return undefined as never;
      },
    };
    this.writer = new CopyWriter(client, this.index, controlPlane, () => this.owned);
  }

  put(object: KubeObject, uid: string): KubeObject {
    const metadata = { ...object.metadata, uid, resourceVersion: String(++this.#revision) };
    this.stored = { ...object, metadata };
    return this.stored;
  }

  /** A syncer's note, which says nothing of the content. */
  note(text: string): void {
    const stored = this.stored as KubeObject;
    const annotations = { ...stored.metadata.annotations, note: text };
    this.put({ ...stored, metadata: { ...stored.metadata, annotations } }, stored.metadata.uid ?? '');
  }

  /** As its watch tells it. */
  tell(): void {
    const record = copyRecordOf('cell', place, this.stored?.metadata ?? {}, controlPlane);
    if (record !== undefined) this.index.put(asKnown(record, this.index.get(placeKey)));
  }

  ensure(value: string, decidedOver?: ReadonlyMap<string, CopyRecord>) {
    return this.writer.ensure('cell', copyOf(value), new AbortController().signal, decidedOver);
  }

  withdraw(record: CopyRecord) {
    return this.writer.withdraw(record, 'Background', new AbortController().signal);
  }

  get known(): CopyRecord {
    const record = this.index.get(placeKey);
    assert.ok(record);
    return record;
  }

  get value(): unknown {
    return (this.stored?.['data'] as { readonly value: string } | undefined)?.value;
  }
}

const isChanged = (error: unknown) =>
  isApiError(error, 'Conflict') && /written since this was decided/.test(String(error));

it('a known copy is applied over as that very object', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  assert.deepEqual(await cell.ensure('two'), { type: 'written' });
  assert.deepEqual(cell.asked, ['apply over u1']);
  assert.equal(cell.value, 'two');
});

it('what has taken the place of a known copy, and is of another origin, is not applied over', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  cell.put(objectOf('theirs', 'neighbour'), 'u2');
  await assert.rejects(cell.ensure('two'), (error) => isApiError(error, 'Conflict'));
  assert.equal(cell.value, 'theirs');
  assert.deepEqual(cell.asked, ['apply over u1', 'get']);
});

it('a known copy that another scheduler has made anew is applied over once it was looked at', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  cell.put(objectOf('one'), 'u2');
  await cell.ensure('two');
  assert.deepEqual(cell.asked, ['apply over u1', 'get', 'apply over u2']);
  assert.equal(cell.index.get(placeKey)?.uid, 'u2');
});

it('a known copy that is gone is made anew, where nothing is, by the next decision', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  cell.stored = undefined;
  await assert.rejects(cell.ensure('two'), isChanged);
  await cell.ensure('two');
  assert.deepEqual(cell.asked, ['apply over u1', 'get', 'apply if absent']);
  assert.equal(cell.index.get(placeKey)?.uid, 'made');
});

it('fields that somebody else holds are taken back from a copy of ours', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  cell.holder = 'by-hand';
  await cell.ensure('two');
  assert.deepEqual(cell.asked, ['apply over u1', 'get', 'apply over u1']);
  assert.equal(cell.value, 'two');
});

it('what is not known is made where nothing is; a copy of ours that is there is decided about, any other left alone', async () => {
  const cell = new CellPlace();
  await cell.ensure('one');
  assert.deepEqual(cell.asked, ['apply if absent']);
  const other = new CellPlace();
  other.put(objectOf('former'), 'u1');
  await assert.rejects(other.ensure('one'), isChanged);
  assert.deepEqual(other.asked, ['apply if absent', 'get']);
  await other.ensure('one');
  assert.equal(other.value, 'one');
  // As after a creation whose answer was lost.
  const same = new CellPlace();
  same.put(objectOf('one'), 'u1');
  assert.deepEqual(await same.ensure('one'), { type: 'written' });
  assert.deepEqual(same.asked, ['apply if absent', 'get', 'apply over u1']);
  const theirs = new CellPlace();
  theirs.put(objectOf('theirs', 'neighbour'), 'u1');
  assert.equal((await theirs.ensure('one')).type, 'collision');
  assert.equal(theirs.value, 'theirs');
});

it('a copy of which the cell has not kept all is written again', async () => {
  const cell = new CellPlace();
  cell.prunes = true;
  const ensure = () =>
    cell.writer.ensure('cell', { ...copyOf('one'), custom: true }, new AbortController().signal);
  await assert.rejects(ensure(), (error) => isApiError(error, 'ServiceUnavailable'));
  cell.prunes = false;
  assert.deepEqual(await ensure(), { type: 'written' });
  assert.equal(cell.value, 'one');
  assert.deepEqual(await ensure(), { type: 'unchanged' });
});

it('what has taken the place of a known copy is not withdrawn for it', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  const record = cell.index.get(placeKey);
  assert.ok(record);
  const withdraw = () => cell.writer.withdraw(record, 'Background', new AbortController().signal);
  cell.put(objectOf('anew'), 'u2');
  await withdraw();
  assert.equal(cell.value, 'anew');
  assert.ok(cell.index.get(placeKey) !== undefined, 'its event is on its way');
  cell.stored = undefined;
  await withdraw();
  assert.equal(cell.index.get(placeKey), undefined, 'gone counts as done');
  assert.deepEqual(cell.asked, ['delete u1', 'get', 'delete u1']);
});

it('what another scheduler has written since the decision is written over only when all was decided anew', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  // This one stood still after it had asked.
  cell.onWrite = () => {
    cell.onWrite = () => {};
    cell.put(objectOf('newer'), 'u1');
  };
  await assert.rejects(cell.ensure('older'), isChanged);
  assert.equal(cell.value, 'newer');
  // Nor when it was told meanwhile.
  const told = new CellPlace();
  told.put(objectOf('one'), 'u1');
  told.tell();
  const decidedOver = new Map([[placeKey, told.known]]);
  told.put(objectOf('newer'), 'u1');
  told.tell();
  await assert.rejects(told.ensure('older', decidedOver), isChanged);
  assert.deepEqual(told.asked, []);
  // Decided anew, by whoever knows it.
  await told.ensure('newest', new Map([[placeKey, told.known]]));
  assert.deepEqual(told.asked, ['apply over u1']);
});

it('nor is a copy withdrawn that another scheduler has written since', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  const record = cell.known;
  cell.put(objectOf('newer'), 'u1');
  await assert.rejects(cell.withdraw(record), isChanged);
  assert.equal(cell.value, 'newer');
  // A syncer's note is no such thing.
  const next = cell.known;
  cell.note('synced');
  await cell.withdraw(next);
  assert.equal(cell.stored, undefined);
  assert.deepEqual(cell.asked, ['delete u1', 'get', 'delete u1', 'get', 'delete u1']);
});

it('of updates between which a syncer notes something, those cost a look whose note was not told of yet', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('0'), 'u1');
  cell.tell();
  for (let i = 1; i <= 100; i++) {
    cell.note(`synced ${i}`);
    if (i % 10 !== 0) cell.tell();
    assert.deepEqual(await cell.ensure(String(i)), { type: 'written' });
    assert.equal(cell.value, String(i));
  }
  assert.equal(cell.asked.filter((what) => what === 'get').length, 10);
  assert.equal(cell.asked.length, 100 + 2 * 10);
  // One that notes whenever we write is left for later.
  cell.asked.length = 0;
  cell.onWrite = () => cell.note('again');
  await assert.rejects(cell.ensure('last'), (error) => isApiError(error, 'Conflict'));
  assert.equal(cell.asked.length, 7);
});

it('that somebody else has written into a copy is known until it was written over, whatever is noted on it', async () => {
  const cell = new CellPlace();
  const put = (generation: number) => {
    const object = objectOf('one');
    cell.put({ ...object, metadata: { ...object.metadata, generation } }, 'u1');
    cell.tell();
  };
  put(1);
  put(2);
  assert.equal(cell.known.contentHash, '');
  cell.note('synced');
  cell.tell();
  assert.equal(cell.known.contentHash, '');
  // What it answers may have been told before.
  cell.onWrite = () => {
    cell.onWrite = () => {};
    cell.note('again');
    cell.tell();
  };
  assert.deepEqual(await cell.ensure('one'), { type: 'written' });
  assert.deepEqual(await cell.ensure('one'), { type: 'unchanged' });
});

it('a scheduler whose project is another’s by now writes and withdraws no copy of it', async () => {
  const cell = new CellPlace();
  cell.owned = false;
  await assert.rejects(cell.ensure('one'), /another scheduler/);
  cell.put(objectOf('one'), 'u1');
  cell.tell();
  await assert.rejects(cell.ensure('two'), /another scheduler/);
  const record = cell.index.get(placeKey);
  assert.ok(record);
  await assert.rejects(
    cell.writer.withdraw(record, 'Background', new AbortController().signal),
    /another scheduler/,
  );
  assert.deepEqual(cell.asked, []);
});

it('nor after a look that took until then', async () => {
  const cell = new CellPlace();
  cell.put(objectOf('former'), 'u1');
  cell.onGet = () => {
    cell.owned = false;
  };
  await assert.rejects(cell.ensure('one'), /another scheduler/);
  assert.deepEqual(cell.asked, ['apply if absent', 'get']);
});

/** A copy of the object with that uid, on its way out, of which its syncer has said why it is still there. */
function leaving(uid: string, reason: string): KubeObject {
  const object = objectOf('one');
  const { metadata } = object;
  const annotations = {
    ...metadata.annotations,
    [copyAnnotations.originUid]: uid,
    [syncAnnotations.syncError]: JSON.stringify({ reason, message: 'the budget is spent' }),
  };
  return { ...object, metadata: { ...metadata, annotations, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}

it('a copy whose deletion is held is told that it is wanted again, once, and that it is not any more', async () => {
  const cell = new CellPlace();
  cell.put(leaving('former', 'DeletionHeld'), 'u1');
  cell.tell();
  assert.deepEqual(await cell.ensure('two'), { type: 'leaving' });
  assert.equal(cell.stored?.metadata.annotations?.[copyAnnotations.wantedAgain], 'o1');
  cell.tell();
  assert.deepEqual(await cell.ensure('two'), { type: 'leaving' });
  await cell.withdraw(cell.known);
  assert.equal(cell.stored?.metadata.annotations?.[copyAnnotations.wantedAgain], undefined);
  cell.tell();
  await cell.withdraw(cell.known);
  const told = JSON.stringify({ [copyAnnotations.wantedAgain]: 'o1' });
  const takenBack = JSON.stringify({ [copyAnnotations.wantedAgain]: null });
  assert.deepEqual(cell.asked, [`patch ${told}`, `patch ${takenBack}`]);
});

it('a copy that goes as it should is told nothing', async () => {
  const cell = new CellPlace();
  cell.put(leaving('former', 'EdgeUnreachable'), 'u1');
  cell.tell();
  assert.deepEqual(await cell.ensure('two'), { type: 'leaving' });
  assert.deepEqual(cell.asked, []);
});
