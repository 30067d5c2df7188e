#!lua flags=allow-oom
-- Forget outbox items the broker has confirmed.
--
-- KEYS    1 outbox hash   2 dirty index
-- ARGV    1 actor id   2... outbox fields
-- Answer  items left
--
-- Invariant: an actor is in the dirty index exactly while its outbox holds something.

local outbox, dirty = KEYS[1], KEYS[2]
local id = ARGV[1]

for n = 2, #ARGV do
  redis.call('HDEL', outbox, ARGV[n])
end
local left = redis.call('HLEN', outbox)
if left == 0 then
  redis.call('ZREM', dirty, id)
end
return left
