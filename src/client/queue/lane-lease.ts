import type { Redis } from 'ioredis';

/** What to do about one lane: keep what is ours, take what is free, give back, or nothing. */
export type LaneWish = 'keep' | 'take' | 'release' | 'none';

export interface LaneAnswer {
  /** By lane: whether it is ours until its lease ends. */
  readonly held: readonly boolean[];
  /** All who take part now. */
  readonly members: readonly string[];
}

/**
 * One step for all lanes at once. Leases end by the clock of Redis alone. KEYS: the members, then one key for each lane; ARGV:
 * who asks, for how long (ms), whether it takes part (1) or leaves (0), one letter for each lane.
 */
const script = `
local me, lease, wishes = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == '1' then redis.call('ZADD', KEYS[1], now + lease, me) else redis.call('ZREM', KEYS[1], me) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], lease * 10)
local held = {}
for i = 1, #wishes do
  local wish, key = string.sub(wishes, i, i), KEYS[i + 1]
  local answer = '0'
  if wish ~= 'n' then
    local holder = redis.call('GET', key)
    if holder == me then
      if wish == 'r' then redis.call('DEL', key) else
        redis.call('PEXPIRE', key, lease)
        answer = '1'
      end
    elseif wish == 't' and not holder then
      redis.call('SET', key, me, 'PX', lease)
      answer = '1'
    end
  end
  held[i] = answer
end
return {table.concat(held), redis.call('ZRANGE', KEYS[1], 0, -1)}
`;

/** Asks Redis for lanes. Rejects when it does not answer, within the connection's command timeout. */
export async function askForLanes(
  redis: Redis,
  prefix: string,
  asker: { readonly member: string; readonly leaseMs: number; readonly leaves: boolean },
  wishes: readonly LaneWish[],
): Promise<LaneAnswer> {
  const keys = [`${prefix}:members`, ...wishes.map((_, lane) => `${prefix}:lane:${lane}`)];
  const letters = wishes.map((wish) => wish.charAt(0)).join('');
  const answer: unknown = await redis.eval(
    script,
    keys.length,
    ...keys,
    asker.member,
    asker.leaseMs,
    asker.leaves ? '0' : '1',
    letters,
  );
  if (!Array.isArray(answer) || typeof answer[0] !== 'string' || !Array.isArray(answer[1])) {
    throw new Error('Redis gave an answer of another form');
  }
  return { held: Array.from(answer[0], (one) => one === '1'), members: answer[1].map(String).sort() };
}
