#!lua
-- Record a dedicated mailbox unless its type has too many others.
--
-- KEYS    1 spawned ids, a sorted set of equal scores
-- ARGV    1 id   2 how many a type may have
-- Answer  1 if it is recorded, 0 if it was refused

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 1
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
return redis.call('ZADD', KEYS[1], 0, ARGV[1])
