import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRedisUrl } from './redis-url.ts';

test('a Redis URL tells host, port, database, user, password and TLS', () => {
  assert.deepEqual(parseRedisUrl('redis://10.0.0.1'), {
    host: '10.0.0.1',
    port: 6_379,
    db: 0,
    username: undefined,
    password: undefined,
    tls: false,
  });
  assert.deepEqual(parseRedisUrl('rediss://ann:p%40ss@[::1]:7000/3'), {
    host: '::1',
    port: 7_000,
    db: 3,
    username: 'ann',
    password: 'p@ss',
    tls: true,
  });
  assert.equal(parseRedisUrl('redis://:secret@cache').password, 'secret');
});

test('what is no Redis URL is refused', () => {
  for (const url of [
    '',
    'cache:6379',
    'http://cache',
    'redis://',
    'redis://cache/main',
    'redis://cache?db=1',
  ]) {
    assert.throws(() => parseRedisUrl(url), RangeError, url);
  }
});
