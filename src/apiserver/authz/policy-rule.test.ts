import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PolicyRule, RuleSet, rulesNotCovered } from './policy-rule.ts';

const rule = (verbs: string, groups: string, resources: string, names?: string): PolicyRule => ({
  verbs: verbs.split(','),
  apiGroups: groups.split(','),
  resources: resources.split(','),
  ...(names === undefined ? {} : { resourceNames: names.split(',') }),
});

describe('RuleSet: Kubernetes RBAC matching (U4)', () => {
  const question = { verb: 'get', group: 'apps', resource: 'deployments', subresource: '', name: 'x' };
  const rows: [string, PolicyRule, Partial<typeof question>, boolean][] = [
    ['exact', rule('get', 'apps', 'deployments'), {}, true],
    ['other verb', rule('list', 'apps', 'deployments'), {}, false],
    ['any verb', rule('*', 'apps', 'deployments'), {}, true],
    ['any group', rule('get', '*', 'deployments'), {}, true],
    ['core is not any group', rule('get', '', 'deployments'), {}, false],
    ['any resource', rule('get', 'apps', '*'), {}, true],
    ['any resource has subresources', rule('get', 'apps', '*'), { subresource: 'scale' }, true],
    [
      'a resource has not its subresources',
      rule('get', 'apps', 'deployments'),
      { subresource: 'scale' },
      false,
    ],
    ['subresource', rule('get', 'apps', 'deployments/scale'), { subresource: 'scale' }, true],
    ['subresource of any', rule('get', 'apps', '*/scale'), { subresource: 'scale' }, true],
    ['subresource of any is not the resource', rule('get', 'apps', '*/scale'), {}, false],
    ['by name', rule('get', 'apps', 'deployments', 'x,y'), {}, true],
    ['other name', rule('get', 'apps', 'deployments', 'y'), {}, false],
    ['a named rule grants no collection', rule('get', 'apps', 'deployments', 'x'), { name: '' }, false],
    ['by name, any resource', rule('get', '*', '*', 'x'), {}, true],
    ['verb access is not get', rule('access', 'apps', 'deployments'), {}, false],
  ];
  for (const [name, one, changed, expected] of rows) {
    it(name, () => assert.equal(new RuleSet([one]).allowsResource({ ...question, ...changed }), expected));
  }

  const urlRows: [string, string, boolean][] = [
    ['/healthz', '/healthz', true],
    ['/healthz', '/healthz/x', false],
    ['/api/*', '/api/v1', true],
    ['/api/*', '/api', false],
    ['/api*', '/apis', true],
    ['*', '/anything', true],
  ];
  for (const [granted, asked, expected] of urlRows) {
    it(`URL ${granted} ${expected ? 'allows' : 'refuses'} ${asked}`, () => {
      assert.equal(
        new RuleSet([{ verbs: ['get'], nonResourceURLs: [granted] }]).allowsUrl('get', asked),
        expected,
      );
    });
  }
});

describe('rulesNotCovered (U4: escalation)', () => {
  const held = new RuleSet([
    rule('get,list', '', 'pods,services'),
    rule('get', '', 'secrets', 'a'),
    { verbs: ['get'], nonResourceURLs: ['/api/*'] },
  ]);
  const rows: [string, PolicyRule, boolean][] = [
    ['equal', rule('get,list', '', 'pods,services'), true],
    ['part', rule('list', '', 'services'), true],
    ['a name out of all', rule('get', '', 'pods', 'x'), true],
    ['the name held', rule('get', '', 'secrets', 'a'), true],
    ['another name', rule('get', '', 'secrets', 'a,b'), false],
    ['all of what is held by name', rule('get', '', 'secrets'), false],
    ['any verb', rule('*', '', 'pods'), false],
    ['any group', rule('get', '*', 'pods'), false],
    ['any resource', rule('get', '', '*'), false],
    ['a subresource', rule('get', '', 'pods/log'), false],
    ['URL below', { verbs: ['get'], nonResourceURLs: ['/api/v1', '/api/v1/*'] }, true],
    ['URL above', { verbs: ['get'], nonResourceURLs: ['/api*'] }, false],
  ];
  for (const [name, wanted, covered] of rows) {
    it(name, () => assert.equal(rulesNotCovered([wanted], held).length === 0, covered));
  }

  it('a rule of too many permissions is not covered rather than counted out', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `r${i}`);
    const huge: PolicyRule = { verbs: ['get'], apiGroups: many, resources: many };
    assert.deepEqual(rulesNotCovered([huge], new RuleSet([rule('*', '*', '*')])), [huge]);
  });

  it('what covers a rule allows all that the rule allows', () => {
    const word = fc.constantFrom('*', 'a', 'b', 'a/s', '*/s');
    const plain = fc.constantFrom('*', 'a', 'b');
    const anyRule = fc.record({
      verbs: fc.array(plain, { minLength: 1, maxLength: 2 }),
      apiGroups: fc.array(plain, { minLength: 1, maxLength: 2 }),
      resources: fc.array(word, { minLength: 1, maxLength: 2 }),
      resourceNames: fc.array(fc.constantFrom('n', 'm'), { maxLength: 2 }),
    });
    const question = fc.record({
      verb: fc.constantFrom('a', 'b'),
      group: fc.constantFrom('a', 'b'),
      resource: fc.constantFrom('a', 'b'),
      subresource: fc.constantFrom('', 's'),
      name: fc.constantFrom('', 'n', 'm'),
    });
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 3 }), anyRule, question, (owned, wanted, asked) => {
        const ownedSet = new RuleSet(owned);
        if (rulesNotCovered([wanted], ownedSet).length > 0) return;
        if (new RuleSet([wanted]).allowsResource(asked)) assert.ok(ownedSet.allowsResource(asked));
      }),
      { numRuns: 1000 },
    );
  });
});
