/** Who asks. KUBERNETES.md U1. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

export const systemMasters = 'system:masters';
export const allAuthenticated = 'system:authenticated';
export const allUnauthenticated = 'system:unauthenticated';

export const anonymousUser: UserInfo = {
  name: 'system:anonymous',
  groups: [allUnauthenticated],
  extra: new Map(),
};

/** The server's own controllers, over loopback. */
export const loopbackUser: UserInfo = {
  name: 'system:apiserver',
  groups: [systemMasters, allAuthenticated],
  extra: new Map(),
};
