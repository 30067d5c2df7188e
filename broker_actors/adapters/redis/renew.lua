#!lua flags=allow-oom
-- Renew a worker's lease if it still has one.
--
-- KEYS    1 leases, a sorted set of names by expiry in ms
-- ARGV    1 name   2 lease in ms
-- Answer  1 if it had one, else 0

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
return 1
