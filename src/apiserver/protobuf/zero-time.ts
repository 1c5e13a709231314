/** Go's zero time, 0001-01-01T00:00:00Z, which is null in JSON. */
export const zeroTimeSeconds = -62135596800;
