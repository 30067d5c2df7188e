#!lua flags=no-writes
-- Sum up actors of one bucket without taking them.
--
-- KEYS    1 actor hash   2 outbox hash   3 parking   4 actor hash of the next   5 ...
-- Answer  {epoch or nil if there is no such actor, version, bytes of its state, items in its outbox,
--          entries in its parking, suspension or nil, ...}

local found = {}
for n = 1, #KEYS, 3 do
  local held = redis.call('HMGET', KEYS[n], 'epoch', 'version', 'suspended')
  found[#found + 1] = held[1]
  found[#found + 1] = held[2]
  found[#found + 1] = redis.call('HSTRLEN', KEYS[n], 'state')
  found[#found + 1] = redis.call('HLEN', KEYS[n + 1])
  found[#found + 1] = redis.call('LLEN', KEYS[n + 2])
  found[#found + 1] = held[3]
end
return found
