import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from './api-error.ts';
import { labelSelectorOf, parseLabelSelector } from './label-selector.ts';

type Labels = Record<string, string>;

// Source: k8s.io/apimachinery/pkg/labels semantics (KUBERNETES.md L5).
const rows: readonly [selector: string, labels: Labels | undefined, matches: boolean][] = [
  ['', undefined, true],
  ['', { a: 'b' }, true],
  ['a=b', { a: 'b' }, true],
  ['a==b', { a: 'b' }, true],
  ['a=b', { a: 'c' }, false],
  ['a=b', undefined, false],
  ['a=', { a: '' }, true],
  ['a=', {}, false],
  ['a!=b', {}, true],
  ['a!=b', { a: 'c' }, true],
  ['a!=b', { a: 'b' }, false],
  ['a in (b, c)', { a: 'c' }, true],
  ['a in (b,c)', {}, false],
  ['a in ()', { a: '' }, true],
  ['a in (,b)', { a: '' }, true],
  ['a notin (b)', {}, true],
  ['a notin (b)', { a: 'b' }, false],
  ['a notin (b),c', { c: '' }, true],
  ['a', { a: '' }, true],
  ['a', {}, false],
  ['!a', {}, true],
  ['! a', { a: 'x' }, false],
  ['a>1', { a: '2' }, true],
  ['a>1', { a: '1' }, false],
  ['a<10', { a: '9' }, true],
  ['a<10', { a: 'x' }, false],
  ['a<10', {}, false],
  ['in in (in,notin)', { in: 'notin' }, true],
  ['a=in', { a: 'in' }, true],
  ['app.kubernetes.io/name=x,tier!=db', { 'app.kubernetes.io/name': 'x' }, true],
  ['toString=x', {}, false],
  ['!constructor', {}, true],
];

test('label selectors match as in Kubernetes', () => {
  for (const [selector, labels, expected] of rows) {
    assert.equal(
      parseLabelSelector(selector).matches(labels),
      expected,
      `${selector} on ${JSON.stringify(labels)}`,
    );
  }
});

test('label selectors have a canonical text that parses to the same', () => {
  for (const [selector] of rows) {
    const text = parseLabelSelector(selector).toString();
    assert.equal(parseLabelSelector(text).toString(), text);
  }
  assert.equal(parseLabelSelector('z in (c, a,b), !b ,a').toString(), 'a,!b,z in (a,b,c)');
});

test('malformed label selectors are refused with Kubernetes words', () => {
  const malformed: readonly [string, RegExp][] = [
    ['=', /^found '=', expected: !, identifier, or 'end of string'$/],
    ['a=b,', /^found '', expected: identifier after ','$/],
    ['a=b c', /^found 'c', expected: ',' or 'end of string'$/],
    ['a in b', /^unable to parse requirement: found 'b' expected: '\('$/],
    ['a in (', /^unable to parse requirement: found '', expected: ',', '\)' or identifier$/],
    ['a in (b', /^unable to parse requirement: found '', expected: ',' or '\)'$/],
    ['a in (b c)', /^unable to parse requirement: found 'c', expected: ',' or '\)'$/],
    ['a in (b,=)', /^unable to parse requirement: found '=', expected: ',', or identifier$/],
    ['a ! b', /^unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt$/],
    ['a>x', /the value must be an integer$/],
    ['a=-b', /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/],
    [
      'a/b/c=d',
      /^unable to parse requirement: <nil>: Invalid value: "a\/b\/c": a valid label key must consist/,
    ],
    ['!', /^unable to parse requirement: found '', expected: identifier$/],
  ];
  for (const [selector, message] of malformed) {
    assert.throws(
      () => parseLabelSelector(selector),
      (error: unknown) => isApiError(error, 'BadRequest') && message.test(error.message),
      selector,
    );
  }
});

test('LabelSelector objects: absent matches nothing, empty everything', () => {
  assert.equal(labelSelectorOf(undefined).matches({}), false);
  assert.equal(labelSelectorOf({}).matches(undefined), true);
  assert.equal(labelSelectorOf({}).empty, true);
  const selector = labelSelectorOf({
    matchLabels: { a: 'b' },
    matchExpressions: [
      { key: 'c', operator: 'NotIn', values: ['d'] },
      { key: 'e', operator: 'Exists' },
      { key: 'f', operator: 'DoesNotExist' },
      { key: 'g', operator: 'In', values: ['h', 'i'] },
    ],
  });
  assert.equal(selector.matches({ a: 'b', e: '', g: 'i' }), true);
  assert.equal(selector.matches({ a: 'b', e: '', g: 'i', f: '' }), false);
  assert.throws(
    () => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'Like' }] }),
    /not a valid label selector operator/,
  );
  assert.throws(
    () => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'constructor' }] }),
    /not a valid label selector operator/,
  );
  assert.throws(
    () => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'In' }] }),
    /values set can't be empty/,
  );
});
