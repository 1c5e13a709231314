import { silentLogger } from '#client/logger.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { InProcessServer } from '../harness/in-process-server.ts';
import { type RawAnswer, RawHttp, type RawRequest } from '../harness/raw-http.ts';
import { adminConnectionTo, connectionAs, createTestPki } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

export interface Json {
  readonly [key: string]: unknown;
}

/** Requests as one user to one workspace of a server; every answer's JSON is at hand. */
export class Contract {
  readonly raw: RawHttp;
  readonly base: string;

  constructor(raw: RawHttp, base: string) {
    this.raw = raw;
    this.base = base;
  }

  send(request: RawRequest): Promise<RawAnswer> {
    return this.raw.send({ ...request, path: `${this.base}${request.path}` });
  }

  get(path: string, headers?: { readonly [name: string]: string }): Promise<RawAnswer> {
    return this.send({ path, headers });
  }

  post(path: string, body: Json): Promise<RawAnswer> {
    return this.send({ method: 'POST', path, body: JSON.stringify(body) });
  }

  put(path: string, body: Json): Promise<RawAnswer> {
    return this.send({ method: 'PUT', path, body: JSON.stringify(body) });
  }

  patch(path: string, body: Json | readonly Json[], type = 'merge-patch+json'): Promise<RawAnswer> {
    return this.send({
      method: 'PATCH',
      path,
      body: JSON.stringify(body),
      contentType: `application/${type}`,
    });
  }

  delete(path: string, body?: Json): Promise<RawAnswer> {
    return this.send({ method: 'DELETE', path, body: body === undefined ? undefined : JSON.stringify(body) });
  }

  /** The path's object once the condition holds for it. */
  eventually(path: string, what: string, condition: (object: Json) => unknown): Promise<Json> {
    return until(`${path}: ${what}`, async () => {
      const { json } = await this.get(path);
      return json !== undefined && condition(json) ? json : undefined;
    });
  }
}

export interface ContractServer extends AsyncDisposable {
  readonly admin: Contract;
  /** A user without any right. */
  as(name: string, ...groups: string[]): Contract;
  /** Without credentials. */
  readonly anonymous: Contract;
}

/** An API server in this process, seen through its workspace `root`. */
export async function startContractServer(): Promise<ContractServer> {
  const pki = await createTestPki();
  const server = new InProcessServer({ mode: 'federation', pki, logger: silentLogger });
  await server.start();
  const open: RawHttp[] = [];
  const contract = (raw: RawHttp): Contract => {
    open.push(raw);
    return new Contract(raw, '/clusters/root');
  };
  return {
    admin: contract(new RawHttp(adminConnectionTo(pki, server.url))),
    as: (name, ...groups) => contract(new RawHttp(connectionAs(pki, server.url, { name, groups }))),
    anonymous: contract(new RawHttp({ server: server.url, caPem: pki.ca.certificatePem })),
    [Symbol.asyncDispose]: async () => {
      await disposeAll(...open.map((raw) => () => raw.close()), () => server.dispose());
    },
  };
}
