#!lua flags=no-writes
-- Tell who lives and how they are.
--
-- KEYS    1 leases   2 records   3 reports
-- Answer  {name, record or nil, report or nil, name, ...}

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now_ms), '+inf')) do
  found[#found + 1] = name
  found[#found + 1] = redis.call('HGET', KEYS[2], name)
  found[#found + 1] = redis.call('HGET', KEYS[3], name)
end
return found
