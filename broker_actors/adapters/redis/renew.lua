#!lua flags=allow-oom
-- Renew a worker's lease, if it still has one.
--
-- KEYS    1 leases, a sorted set of names by expiry in ms
-- ARGV    1 name   2 lease in ms
-- Answer  1 if it had one, else 0

local time = redis.call('TIME')
local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
return redis.call('ZADD', KEYS[1], 'XX', 'CH', until_ms, ARGV[1])
