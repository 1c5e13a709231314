import type { UserInfo } from '../request/user.ts';

/** How our own processes are called (DESIGN.md, Federator, Assignment). None of them is in `system:masters`. */
export const componentUserPrefix = 'system:cellplane:';
export const schedulerUserName = 'system:cellplane:scheduler';
export const schedulerGroup = 'system:cellplane:schedulers';
export const federatorUserPrefix = 'system:cellplane:federator:';
export const federatorGroup = 'system:cellplane:federators';

/** The federator's name when the user is one: by name and by group, so that neither alone suffices. */
export function federatorNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(federatorUserPrefix) || !user.groups.includes(federatorGroup)) return undefined;
  const name = user.name.slice(federatorUserPrefix.length);
  return name === '' ? undefined : name;
}

export function isScheduler(user: UserInfo): boolean {
  return user.name === schedulerUserName;
}
