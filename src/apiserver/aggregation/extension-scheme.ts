import type { Scheme } from '#apimachinery/scheme.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';

const extensions = new WeakMap<Scheme, Scheme>();

/**
 * What of a workspace another API server's aggregation layer is shown in OpenAPI: all but Kubernetes' own groups. It lays
 * the indexes of its extension servers over its own, group version by group version, in no certain order, so that one which
 * lists `apps/v1` answers for the host's (kube-aggregator, pkg/controllers/openapiv3, getOpenAPIV3Root). Made once a scheme.
 */
export function extensionSchemeOf(scheme: Scheme): Scheme {
  let extension = extensions.get(scheme);
  if (extension === undefined) {
    extension = createScheme(scheme.definitions.filter(({ origin }) => origin !== 'builtin'));
    extensions.set(scheme, extension);
  }
  return extension;
}
