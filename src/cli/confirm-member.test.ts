import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmMember } from './confirm-member.ts';
import { UsageError } from './run-command.ts';

const review = (username: string, ...groups: string[]) => ({
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
  metadata: {},
  status: { userInfo: { username, groups } },
});

test('who is not of the group is told so; a server that is away is asked again', async () => {
  const { signal } = new AbortController();
  const errors: unknown[] = [];
  const asked = { signal, onError: (error: unknown) => errors.push(error) };
  const admin = { create: () => Promise.resolve(review('admin', 'system:masters')) };
  await assert.rejects(confirmMember(admin, 'schedulers', asked), (error) => {
    return error instanceof UsageError && error.message.includes('takes us for admin');
  });
  let away = 2;
  const scheduler = {
    create: () =>
      away-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve(review('s', 'schedulers', 'others')),
  };
  await confirmMember(scheduler, 'schedulers', asked);
  assert.equal(errors.length, 2);
});

test('it stops asking when its signal fires', async () => {
  const stopping = new AbortController();
  const down = { create: () => Promise.reject(new Error('away')) };
  const asking = confirmMember(down, 'schedulers', {
    signal: stopping.signal,
    onError: () => stopping.abort(new Error('stopped')),
  });
  await assert.rejects(asking, /stopped/);
});
