import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { JsonObject } from '#apimachinery/json.ts';

/** A cell's estimator. */
export interface TestEstimator extends AsyncDisposable {
  readonly url: string;
}

/** Answers each question with what `answer` makes of it. */
export async function startEstimator(answer: (question: JsonObject) => JsonObject): Promise<TestEstimator> {
  const server = createServer((request, response) => {
    void text(request).then((body) => response.end(JSON.stringify(answer(JSON.parse(body) as JsonObject))));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
