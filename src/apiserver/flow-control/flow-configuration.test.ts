import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flowControlRules } from '#api/builtin/validation/flow-control.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import { anonymousUser, systemMasters, type UserInfo } from '../request/user.ts';
import { bootstrapFlowSchemas, bootstrapPriorityLevels } from './bootstrap-objects.ts';
import { FlowConfiguration } from './flow-configuration.ts';
import { accountOf, bootstrap, jane, userOf } from './testing/askers.ts';

describe('schemas and levels (O2)', () => {
  test('requests fall under the schemas that Kubernetes suggests', () => {
    const cases: [UserInfo, string, string, string][] = [
      [userOf('admin', systemMasters), 'GET', '/api/v1/pods', 'exempt/exempt'],
      [anonymousUser, 'GET', '/healthz', 'probes/exempt'],
      [anonymousUser, 'GET', '/version', 'global-default/global-default'],
      [jane, 'GET', '/api/v1/pods', 'global-default/global-default'],
      [accountOf('default', 'x'), 'GET', '/api/v1/pods', 'service-accounts/workload-low'],
      [accountOf('kube-system', 'x'), 'GET', '/api/v1/pods', 'kube-system-service-accounts/workload-high'],
      [
        accountOf('kube-system', 'x'),
        'PUT',
        '/apis/coordination.k8s.io/v1/namespaces/a/leases/l',
        'system-leader-election/leader-election',
      ],
      [
        accountOf('kube-system', 'endpoint-controller'),
        'PUT',
        '/api/v1/namespaces/a/endpoints/e',
        'kube-system-service-accounts/workload-high',
      ],
      [
        userOf('system:node:a', 'system:nodes'),
        'PATCH',
        '/api/v1/nodes/a/status',
        'system-node-high/node-high',
      ],
      [userOf('system:node:a', 'system:nodes'), 'GET', '/api/v1/pods', 'system-nodes/system'],
      [userOf('system:kube-scheduler'), 'GET', '/api/v1/pods', 'kube-scheduler/workload-high'],
      [
        userOf('system:cellplane:scheduler', 'system:cellplane:schedulers'),
        'GET',
        '/api/v1/pods',
        'federation/federation',
      ],
      [{ name: 'nobody', groups: [], extra: new Map() }, 'GET', '/api/v1/pods', 'catch-all/catch-all'],
    ];
    for (const [user, method, url, expected] of cases) {
      const { schema, level } = bootstrap.classify(parseRequestInfo(method, url), user);
      assert.equal(`${schema.name}/${level.name}`, expected, `${user.name} ${method} ${url}`);
    }
  });

  test('the lowest precedence goes first, then the name; a schema without its level is left out', () => {
    const schema = (name: string, matchingPrecedence: number, level: string): KubeObject => ({
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name, uid: name },
      spec: {
        matchingPrecedence,
        priorityLevelConfiguration: { name: level },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'jane' } }],
            resourceRules: [
              { verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['default'] },
              { verbs: ['get'], apiGroups: [''], resources: ['namespaces'], namespaces: ['special'] },
            ],
          },
        ],
      },
    });
    const configuration = new FlowConfiguration(
      [
        ...bootstrapFlowSchemas,
        schema('b', 50, 'workload-low'),
        schema('a', 50, 'workload-high'),
        schema('dangling', 10, 'missing'),
      ],
      bootstrapPriorityLevels,
    );
    const nameFor = (url: string) => configuration.classify(parseRequestInfo('GET', url), jane).schema.name;
    assert.equal(nameFor('/api/v1/namespaces/default/pods/x'), 'a');
    assert.equal(nameFor('/api/v1/namespaces/other/pods/x'), 'global-default');
    assert.equal(
      nameFor('/api/v1/namespaces/default/pods/x/status'),
      'global-default',
      'a subresource is its own',
    );
    assert.equal(nameFor('/api/v1/namespaces/special'), 'a', 'a namespace is in itself');
  });

  test('what Kubernetes insists on cannot be changed', () => {
    const { validate } = flowControlRules['flowschemas.flowcontrol.apiserver.k8s.io']!;
    const levelRule = flowControlRules['prioritylevelconfigurations.flowcontrol.apiserver.k8s.io']!;
    const causes = (errors: readonly { readonly message: string }[] = []) =>
      errors.map(({ message }) => message);
    for (const schema of bootstrapFlowSchemas) assert.deepEqual(causes(validate?.(schema)), []);
    for (const level of bootstrapPriorityLevels) assert.deepEqual(causes(levelRule.validate?.(level)), []);
    const catchAll = bootstrapFlowSchemas.find(({ metadata }) => metadata.name === 'catch-all')!;
    const altered = { ...catchAll, spec: { ...(catchAll['spec'] as object), matchingPrecedence: 9_000 } };
    assert.match(causes(validate?.(altered)).join(), /spec of 'catch-all' must equal the fixed value/);
  });
});
