import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerFault } from './hook-faults.ts';

test('a failed answer is told by its Status, or by its text where that is one (client-go rest transformResponse)', () => {
  const onServer = (why: string) =>
    `an error on the server ("${why}") has prevented the request from succeeding`;
  assert.equal(answerFault(500, 'broken'), onServer('broken'));
  assert.equal(answerFault(500, 'broken', 'text/plain; charset=utf-8'), onServer('broken'));
  assert.equal(answerFault(500, '{"why":"broken"}', 'application/json'), onServer('unknown'));
  assert.equal(answerFault(500, '{"kind":"Status","message":"told"}', 'application/json'), 'told');
});
