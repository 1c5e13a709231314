import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastAppliedAnnotation } from './last-applied.ts';
import { apply, config, update } from './testing/appliers.ts';

test('P7: kubectl takes over what client-side apply owned, others do not', () => {
  const first = config({ replicas: 1, title: 't' });
  const annotations = { [lastAppliedAnnotation]: JSON.stringify(first) };
  const live = update(
    undefined,
    'kubectl-client-side-apply',
    config({ replicas: 1, title: 't', flag: true }, { annotations }),
  );
  const object = apply(live, 'kubectl', config({ replicas: 2, title: 't' }));
  assert.deepEqual(object['spec'], { replicas: 2, title: 't', flag: true });
  assert.equal(
    object.metadata.annotations?.[lastAppliedAnnotation],
    `${JSON.stringify(config({ replicas: 2, title: 't' }))}\n`,
  );
  assert.throws(
    () => apply(live, 'argocd', config({ replicas: 2 })),
    /conflict with "kubectl-client-side-apply"/,
  );
  assert.throws(() => apply(live, 'kubectl', config({ flag: false })), /1 conflict: .*\.spec\.flag/);
});

test('P7: what changed since the last client-side apply is not taken over', () => {
  const annotations = { [lastAppliedAnnotation]: JSON.stringify(config({ replicas: 1 })) };
  const live = update(undefined, 'hpa', config({ replicas: 5 }, { annotations }));
  assert.throws(() => apply(live, 'kubectl', config({ replicas: 2 })), /conflict with "hpa"/);
});

test('P7: a last-applied annotation that nests deeper than any object may gives nothing over', () => {
  const open = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  const text = JSON.stringify(config({ replicas: 1, open: {} })).replace('"open":{}', `"open":${open}`);
  const annotations = { [lastAppliedAnnotation]: text };
  const live = update(
    undefined,
    'kubectl-client-side-apply',
    config({ replicas: 1, open: {} }, { annotations }),
  );
  assert.throws(() => apply(live, 'kubectl', config({ replicas: 2 })), /1 conflict: .*\.spec\.replicas/);
});
