#!lua flags=allow-oom
-- End a worker's lease for good: a beat that is still on its way does not bring it back.
--
-- KEYS    1 leases   2 records   3 digests   4 reports   5 revision   6 names that left
-- ARGV    1 name   2 how long to remember that it left, in ms
-- Answer  1 if it had a lease, else 0

local leases, records, digests, reports = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local revision, left = KEYS[5], KEYS[6]
local name, kept_ms = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZADD', left, now_ms + kept_ms, name)
if redis.call('ZREM', leases, name) == 0 then
  return 0
end
redis.call('HDEL', records, name)
redis.call('HDEL', digests, name)
redis.call('HDEL', reports, name)
local before = tonumber(redis.call('GET', revision)) or 0
redis.call('SET', revision, string.format('%.0f', math.max(before + 1, time[1] * 1000000 + time[2])))
return 1
