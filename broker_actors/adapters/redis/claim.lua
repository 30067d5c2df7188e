#!lua
-- Take an actor: every older claim is fenced from now on.
--
-- KEYS    1 actor hash   2 outbox hash   3 index of ids   4 senders hash   5 parking
-- ARGV    1 nonce of the claim   2 actor id   3 how many senders to return at the most
-- Answer  {epoch, version, state or nil, {field, item, field, item, ...},
--          {sender, accepted numbers, ...}, how many senders there are, when forgotten ones were heard of,
--          entries parked, bytes parked, suspension or nil}
--
-- Invariant: the epochs of an actor rise. They start from the store's time, so that they
-- still rise when the store has lost its last second of writes; the maximum covers a clock
-- that went back. Every actor with an epoch is in the index. Asking again with the nonce that holds the actor changes nothing.

local actor, outbox, ids, senders, parking = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local nonce, id, senders_max = ARGV[1], ARGV[2], tonumber(ARGV[3])

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'state', 'forgotten', 'parked',
  'suspended')
local epoch, version, state = held[1], held[3] or '0', held[4]

if held[2] ~= nonce then
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  epoch = string.format('%.0f', math.max((tonumber(epoch) or 0) + 1, now_ms))
  redis.call('ZADD', ids, 0, id)
  redis.call('HSET', actor, 'epoch', epoch, 'nonce', nonce, 'version', version)
end

local count = redis.call('HLEN', senders)
local known
if count <= senders_max then
  known = redis.call('HGETALL', senders)
else
  -- Some of them, others each time, so that in the end every one that may be forgotten is.
  known = redis.call('HRANDFIELD', senders, senders_max, 'WITHVALUES')
end
return {
  epoch, version, state, redis.call('HGETALL', outbox), known, count, held[5] or '0',
  redis.call('LLEN', parking), held[6] or '0', held[7],
}
