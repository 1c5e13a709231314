/** How replicas are divided among candidates, or why they cannot be. */
export type Division =
  | { readonly ok: true /** Beside the candidates. */; readonly replicas: readonly number[] }
  | { readonly ok: false; readonly message: string };
