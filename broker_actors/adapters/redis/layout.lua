#!lua
-- Record a layout unless its type has one; the first one stays.
--
-- KEYS    1 layout hash
-- ARGV    1 generation   2 partitions
-- Answer  {generation, partitions} as recorded

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'partitions', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'generation', 'partitions')
