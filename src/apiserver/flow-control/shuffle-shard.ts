/**
 * Which queues a flow may use: `handSize` different ones of `queues`, dealt by a hash of the flow, so that two flows
 * seldom share all of theirs and one that fills its own leaves every other a way in (KUBERNETES.md O2, shuffle sharding).
 */
export function dealHand(flow: string, queues: number, handSize: number): number[] {
  const hand: number[] = [];
  let state = hashOf(flow);
  for (let dealt = 0; dealt < handSize; dealt++) {
    state = mixed(state + 0x9e3779b9);
    let card = state % (queues - dealt);
    // The card-th of those that are not dealt yet: `hand` is kept in order for that.
    let at = 0;
    while (at < hand.length && hand[at]! <= card) {
      card++;
      at++;
    }
    hand.splice(at, 0, card);
  }
  return hand;
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** The finalizer of MurmurHash3: every input bit turns half of the output bits. */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
