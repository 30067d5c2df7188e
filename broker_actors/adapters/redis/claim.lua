#!lua
-- Take an actor: every older claim is fenced from now on.
--
-- KEYS    1 actor hash   2 outbox hash
-- ARGV    1 nonce of the claim
-- Answer  {epoch, version, state or nil, {field, item, field, item, ...}}
--
-- Invariant: the epochs of an actor rise. They start from the store's time, so that they
-- still rise when the store has lost its last second of writes; the maximum covers a clock
-- that went back. Asking again with the nonce that holds the actor changes nothing.

local actor, outbox = KEYS[1], KEYS[2]
local nonce = ARGV[1]

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'state')
local epoch, version, state = held[1], held[3] or '0', held[4]

if held[2] ~= nonce then
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  epoch = string.format('%.0f', math.max((tonumber(epoch) or 0) + 1, now_ms))
  redis.call('HSET', actor, 'epoch', epoch, 'nonce', nonce, 'version', version)
end

return {epoch, version, state, redis.call('HGETALL', outbox)}
