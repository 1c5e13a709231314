import { IncomingMessage, ServerResponse } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Express, Router } from 'express';
import type { ServerReply, ServerRequest } from './exchange.ts';

/** A router at a path beside the Kubernetes API: `{path: '/ui', router}`. Mount Routers, not applications. */
export interface ExpressMount {
  readonly path: string;
  readonly router: Router;
}

/**
 * Express as the outer shell, over HTTP/1.1 and HTTP/2 alike. Express swaps the prototypes of request and response to
 * HTTP/1 ones at every request, which breaks HTTP/2 and costs HTTP/1 most of its speed. Here the server makes objects
 * whose classes bear Express's methods already, and tells Express that those are its prototypes, so that the swap
 * changes nothing.
 */
export class ExpressShell {
  /** To be passed to `http2.createSecureServer`: which classes it makes its objects of. */
  readonly serverOptions: {
    readonly Http1IncomingMessage: typeof IncomingMessage;
    readonly Http1ServerResponse: typeof ServerResponse;
    readonly Http2ServerRequest: typeof Http2ServerRequest;
    readonly Http2ServerResponse: typeof Http2ServerResponse;
  };
  readonly #http1: { readonly request: object; readonly response: object };
  readonly #http2: { readonly request: object; readonly response: object };
  readonly #configure: (app: Express, express: typeof import('express')) => void;
  #app: Promise<Express> | undefined;

  /** `configure` adds the routes when the first request comes that is Express's: until then it is not even loaded. */
  constructor(configure: (app: Express, express: typeof import('express')) => void) {
    const Http1Request = derivedFunction(IncomingMessage);
    const Http1Response = derivedFunction(ServerResponse);
    class Http2Request extends Http2ServerRequest {}
    class Http2Response extends Http2ServerResponse {}
    this.serverOptions = {
      Http1IncomingMessage: Http1Request,
      Http1ServerResponse: Http1Response,
      Http2ServerRequest: Http2Request,
      Http2ServerResponse: Http2Response as typeof Http2ServerResponse,
    };
    this.#http1 = { request: Http1Request.prototype, response: Http1Response.prototype };
    this.#http2 = { request: Http2Request.prototype, response: Http2Response.prototype };
    this.#configure = configure;
  }

  /** Gives a request to Express, under `url` (inside its workspace). */
  async handle(request: ServerRequest, response: ServerReply, url: string): Promise<void> {
    this.#app ??= this.#load();
    const app = await this.#app;
    const shape = request.httpVersionMajor === 2 ? this.#http2 : this.#http1;
    if (request.httpVersionMajor === 2) request.headers['host'] ??= request.headers[':authority'] as string;
    request.url = url;
    // Set before each call: app.handle reads them before it returns.
    Object.assign(app, shape);
    app(request as Parameters<Express>[0], response as Parameters<Express>[1]);
  }

  async #load(): Promise<Express> {
    const { default: express } = await import('express');
    const app = express();
    app.disable('etag').disable('x-powered-by').set('query parser', false);
    for (const shape of [this.#http1, this.#http2]) {
      copyProperties(express.request, shape.request);
      copyProperties(express.response, shape.response);
      Object.defineProperty(shape.request, 'app', { configurable: true, writable: true, value: app });
      Object.defineProperty(shape.response, 'app', { configurable: true, writable: true, value: app });
    }
    this.#configure(app, express);
    return app;
  }
}

/**
 * A class derived the old way: IncomingMessage and ServerResponse are functions themselves, and `class extends` over a
 * function costs 8 µs a request.
 */
function derivedFunction<C extends abstract new (...args: never[]) => object>(base: C): C {
  const parent = base as unknown as (this: object, ...args: unknown[]) => void;
  function Derived(this: object, first: unknown, second: unknown): void {
    parent.call(this, first, second);
  }
  Object.setPrototypeOf(Derived.prototype, base.prototype as object);
  Object.setPrototypeOf(Derived, base);
  return Derived as unknown as C;
}

function copyProperties(from: object, to: object): void {
  for (const key of Reflect.ownKeys(from)) {
    if (key === 'constructor') continue;
    const descriptor = Object.getOwnPropertyDescriptor(from, key);
    if (descriptor !== undefined) Object.defineProperty(to, key, { ...descriptor, configurable: true });
  }
}
