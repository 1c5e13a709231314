import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricText } from '#client/metrics/metric-text.ts';
import { anonymousUser, type UserInfo } from '../request/user.ts';
import { type Credentials, unauthorized } from './authenticator.ts';
import { AuthenticationMetrics } from './counted-authenticator.ts';

const named = (name: string): UserInfo => ({ ...anonymousUser, name });

test('how requests were authenticated, under the names of kube-apiserver (endpoints/filters/metrics.go)', async () => {
  const metrics = new AuthenticationMetrics();
  const authenticator = metrics.counted({
    authenticate({ bearerToken = '' }) {
      if (bearerToken === 'bad') throw unauthorized();
      if (bearerToken === 'late and bad') return Promise.reject(unauthorized());
      if (bearerToken.startsWith('late')) return Promise.resolve(named('jane@example.com'));
      if (bearerToken === '') throw unauthorized('nobody may come without');
      return named(bearerToken);
    },
  });
  const ask = async (bearerToken: string | undefined) =>
    authenticator.authenticate({ certificate: undefined, bearerToken } satisfies Credentials);
  for (const name of ['kubelet', 'system:serviceaccount:a:b', 'jane', 'late']) await ask(name);
  for (const token of ['bad', 'late and bad', undefined]) await assert.rejects(ask(token));
  const text = new MetricText();
  metrics.render(text);
  assert.deepEqual(text.toString().match(/^authenticat\S*(?:requests|attempts|_count)\{.*$/gm), [
    'authenticated_user_requests{username="kubelet"} 1',
    'authenticated_user_requests{username="other"} 2',
    'authenticated_user_requests{username="email_id"} 1',
    'authentication_attempts{result="success"} 4',
    'authentication_attempts{result="failure"} 1',
    'authentication_attempts{result="error"} 2',
    'authentication_duration_seconds_count{result="success"} 4',
    'authentication_duration_seconds_count{result="failure"} 1',
    'authentication_duration_seconds_count{result="error"} 2',
  ]);
  assert.match(text.toString(), /_bucket\{result="success",le="0.001"\} 4\n/);
  assert.match(text.toString(), /_bucket\{result="success",le="16.384"\} 4\n/);
});
