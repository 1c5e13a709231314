/** An answer that is ready to be sent: discovery, OpenAPI. */
export interface PreparedResponse {
  readonly code: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer | string | undefined;
}

/** What a document is asked for with. */
export interface DocumentRequest {
  readonly accept: string | undefined;
  readonly ifNoneMatch: string | undefined;
}
