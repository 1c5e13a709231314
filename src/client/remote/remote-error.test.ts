import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorFromAnswer } from './remote-error.ts';

const nginx = `<html>\r
<head><title>502 Bad Gateway</title></head>\r
<body>\r
<center><h1>502 Bad Gateway</h1></center>\r
<hr><center>nginx/1.25.3</center>\r
</body>\r
</html>\r
`;
const haproxy = `<html><body><h1>503 Service Unavailable</h1>
No server is available to handle this request.
</body></html>
`;
const long = `<!DOCTYPE html>
<!--[if lt IE 7]> <html class="no-js ie6 oldie"> <![endif]-->
<head>
<title>edge.example | 521:
  Web server &amp; origin are down</title>
</head>${'<p>padding</p>'.repeat(10_000)}`;

const rows: (readonly [string, number, string, string, string])[] = [
  ['a title', 502, nginx, 'InternalError', 'HTTP 502 with an HTML page: 502 Bad Gateway'],
  ['a heading', 503, haproxy, 'ServiceUnavailable', 'HTTP 503 with an HTML page: 503 Service Unavailable'],
  [
    'a title over two lines in a long page',
    521,
    long,
    'InternalError',
    'HTTP 521 with an HTML page: edge.example | 521: Web server & origin are down',
  ],
  ['a page without words', 403, ' <html><body>\n</body></html>', 'Forbidden', 'HTTP 403 with an HTML page'],
  [
    'a title of XHTML',
    401,
    '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><title/><h1>No</h1>',
    'Unauthorized',
    'HTTP 401 with an HTML page: No',
  ],
  [
    'a title that is endless',
    500,
    `<title>${'x'.repeat(9_000)}`,
    'InternalError',
    `HTTP 500 with an HTML page: ${'x'.repeat(200)}`,
  ],
  [
    'a page behind comments',
    500,
    '<!-- a --> <!-- <b> --><html><h1>x',
    'InternalError',
    'HTTP 500 with an HTML page: x',
  ],
  // Ends at all: an expression that tries every way to part them does not.
  ['comments alone', 500, '<!---->'.repeat(1_000), 'InternalError', '<!---->'.repeat(74).slice(0, 512)],
  ['plain text', 404, '404 page not found\n', 'NotFound', '404 page not found'],
  ['text over lines', 500, 'no\r\nroute\u001b[31m', 'InternalError', 'no route [31m'],
  ['nothing', 504, ' \n', 'Timeout', 'HTTP 504'],
];
// A page between the two ends knows nothing of the object: nobody may take it for gone by that.
for (const code of [404, 409, 410]) {
  const page = '<html><title>no backend</title></html>';
  rows.push([
    `a page with ${code}`,
    code,
    page,
    'ServiceUnavailable',
    `HTTP ${code} with an HTML page: no backend`,
  ]);
}
for (const [name, code, body, reason, message] of rows) {
  test(`an answer that is no Status is told in one line: ${name}`, () => {
    const error = errorFromAnswer(code, Buffer.from(body));
    assert.deepEqual([error.reason, error.message], [reason, message]);
    assert.equal(error.code, reason === 'ServiceUnavailable' ? 503 : code);
  });
}

test('a Status is told as it is', () => {
  const body = { kind: 'Status', reason: 'Forbidden', message: 'line\nline <title>x</title>', code: 403 };
  const error = errorFromAnswer(403, Buffer.from(JSON.stringify(body)));
  assert.deepEqual([error.reason, error.message], ['Forbidden', body.message]);
});
