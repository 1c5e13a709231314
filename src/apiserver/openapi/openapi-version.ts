/** Of the documents that are served: `/openapi/v2` is Swagger 2.0, `/openapi/v3` OpenAPI 3.0. */
export type OpenApiVersion = 'v2' | 'v3';
