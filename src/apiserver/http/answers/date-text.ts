let second = 0;
let text = '';

/**
 * The `Date` of an answer (RFC 9110, 6.6.1). Node sets it too, over HTTP/2 by a store into an object that V8 looks up, and makes a handler
 * for, anew each time: 2 µs, and garbage that each full collection goes through.
 */
export function dateText(): string {
  const nowMs = Date.now();
  const nowSecond = Math.floor(nowMs / 1_000);
  if (nowSecond !== second) {
    second = nowSecond;
    text = new Date(nowMs).toUTCString();
  }
  return text;
}
