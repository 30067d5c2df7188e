#!lua
-- List a delayed tell, unless it was cancelled.
--
-- KEYS    1 record of its key   2 index of what waits, by when it is due   3 what it calls, by member
-- ARGV    1 member   2 due, in ms   3 method   4 what a cancelled one has for a digest
-- Answer  1 if it is listed; 0 if it was cancelled

local record, index, methods = KEYS[1], KEYS[2], KEYS[3]
local member, due_ms, method, cancelled = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', record, 'digest') == cancelled then
  return 0
end
redis.call('ZADD', index, due_ms, member)
redis.call('HSET', methods, member, method)
return 1
