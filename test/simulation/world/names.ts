/** The process of whoever is no part of the system. */
export const peopleName = 'people';
export const schedulerName = 'scheduler';
